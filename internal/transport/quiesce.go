package transport

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A quietable listener can be told to take no more connections without losing
// one that has been made.
type quietable struct {
	*net.TCPListener
	once     sync.Once
	quieting atomic.Bool
	last     chan net.Conn // those that had been made; closed when there are no more
}

func newQuietable(ln *net.TCPListener) *quietable {
	return &quietable{TCPListener: ln, last: make(chan net.Conn)}
}

// quiesce has a listener take no more connections, where that is known how to
// without losing one that has been made.
func quiesce(ln net.Listener) {
	switch l := ln.(type) {
	case *quietable:
		l.quiesce()
	case tlsListener:
		quiesce(l.beneath)
	default:
		_ = ln.Close() // there is nothing else to be done with it
	}
}

// quiesce takes no more connections. Those that wait are still accepted.
func (l *quietable) quiesce() {
	l.once.Do(func() {
		l.quieting.Store(true)
		for _, c := range takeLast(l.TCPListener) {
			l.last <- c
		}
		_ = l.Close() // it listens no more
		close(l.last)
	})
}

// Accept returns [net.ErrClosed] once there are no more.
func (l *quietable) Accept() (net.Conn, error) {
	c, err := l.TCPListener.Accept()
	if err == nil || !l.quieting.Load() {
		return c, err
	}
	if c, ok := <-l.last; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

// connections counts those that are open: with a request in hand, or waiting
// for one.
type connections struct {
	mu     sync.Mutex
	states map[net.Conn]http.ConnState
	active int
	news   chan struct{} // has room for one; filled whenever a state has changed
}

func newConnections() *connections {
	return &connections{states: map[net.Conn]http.ConnState{}, news: make(chan struct{}, 1)}
}

// changed is told by net/http.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.states[conn] == http.StateActive {
		c.active--
	}
	if state == http.StateActive {
		c.active++
	}
	c.states[conn] = state
	if state == http.StateClosed || state == http.StateHijacked {
		delete(c.states, conn)
	}
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// wait returns when all connections have ended, or after a lull when none has
// a request in hand, or when ctx is done. A client that has one open may be
// about to send a request on it, and net/http drops what it reads once it
// shuts down.
func (c *connections) wait(ctx context.Context, lull time.Duration) {
	quiet, over := time.After(lull), false
	for {
		c.mu.Lock()
		open, active := len(c.states), c.active
		c.mu.Unlock()
		if open == 0 || over && active == 0 {
			return
		}
		select {
		case <-c.news:
		case <-quiet:
			over = true
		case <-ctx.Done():
			return
		}
	}
}
