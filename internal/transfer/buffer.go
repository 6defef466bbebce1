package transfer

import (
	"context"
	"sync"
	"sync/atomic"
)

// How much is received, and stored, at a time: large pieces are cheaper, as long
// as one connection is all there is; those that share a link get less each, so
// that the memory of a transfer stays small.
const (
	bufferSize = 512 << 10
	sharedSize = 256 << 10
)

// A buffer holds bytes on their way to the sink and to the hasher. The last of
// those who share it gives it back.
type buffer struct {
	bytes []byte
	pool  *pool
	users atomic.Int32
}

func (b *buffer) share() { b.users.Add(1) }

func (b *buffer) release() {
	if b.users.Add(-1) == 0 {
		b.pool.put(b)
	}
}

// A pool bounds the memory of a transfer, and with it how far receiving gets
// ahead of hashing.
type pool struct {
	room chan struct{} // one for each buffer that may be taken

	mu   sync.Mutex
	most int       // buffers there may be
	free []*buffer // the last one that came back is still in the processor's cache
}

// spares is how many buffers there are beyond one for each connection.
const spares = 3

// newPool returns one for as many connections as may be, and none yet.
func newPool(connections int) *pool {
	p := &pool{room: make(chan struct{}, connections+spares)}
	for range spares {
		p.grow()
	}
	return p
}

// grow makes room for another connection, or for one in the place of another.
func (p *pool) grow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.most < cap(p.room) {
		p.most++
		p.room <- struct{}{}
	}
}

// get waits for a buffer, with one user.
func (p *pool) get(ctx context.Context) (*buffer, error) {
	select {
	case <-p.room:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	b := &buffer{pool: p}
	if last := len(p.free) - 1; last >= 0 {
		b, p.free = p.free[last], p.free[:last]
	} else {
		b.bytes = make([]byte, bufferSize)
	}
	b.users.Store(1)
	return b, nil
}

func (p *pool) put(b *buffer) {
	p.mu.Lock()
	p.free = append(p.free, b)
	p.mu.Unlock()
	p.room <- struct{}{}
}
