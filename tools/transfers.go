package tools

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// maxTransfers is how many run at a time; more wait their turn.
const maxTransfers = 4

// transfers are the downloads under way. One outlives the call that started it,
// because clients give up on a call long before a large file is there: the same
// call again finds it running, or done.
type transfers struct {
	slots chan struct{}

	mu      sync.Mutex
	running map[string]*job
}

func newTransfers() *transfers {
	return &transfers{slots: make(chan struct{}, maxTransfers), running: map[string]*job{}}
}

// A job is one download, however many calls wait for it.
type job struct {
	cancel context.CancelFunc
	ended  chan struct{}
	out    downloadOut // once ended
	err    error

	panicked any // once ended
	queued   atomic.Bool
	done     atomic.Int64
	total    atomic.Int64 // -1 when not known

	// Guarded by transfers.mu.
	waiting  int  // calls
	detached bool // the last call has left it to run on
	stopped  bool // nobody counts on it
	kept     bool // it ended while nobody waited, and the next call gets it
}

// keepFor is how long the outcome of a download waits for a call.
const keepFor = time.Hour

// run starts the job of this key, or joins it if it runs, and waits for it for
// so long. It reports false if the job runs on. A call that is cancelled takes
// the job with it, unless others count on it.
func (t *transfers) run(ctx context.Context, key string, wait time.Duration, do func(context.Context, *job) (downloadOut, error)) (*job, bool) {
	j := t.join(ctx, key, do)
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	tell := progressOf(ctx)
	for {
		select {
		case <-j.ended:
			t.leave(j, false)
			if j.panicked != nil {
				panic(j.panicked) // where it is told like any other
			}
			tell.bytes(j.done.Load(), j.total.Load())
			return j, true
		case <-timeout.C:
			select {
			case <-j.ended:
				continue // both at once: the outcome counts
			default:
			}
			t.leave(j, true)
			return j, false
		case <-ctx.Done():
			if t.leave(j, false) {
				<-j.ended // it stops now, and then nothing of it is left open
			}
			return &job{err: context.Cause(ctx)}, true
		case <-tick.C:
			if j.queued.Load() {
				tell.words(fmt.Sprintf("waiting for one of %d other downloads to end", maxTransfers))
			} else {
				tell.bytes(j.done.Load(), j.total.Load())
			}
		}
	}
}

func (t *transfers) join(ctx context.Context, key string, do func(context.Context, *job) (downloadOut, error)) *job {
	t.mu.Lock()
	defer t.mu.Unlock()
	for j := t.running[key]; j != nil; j = t.running[key] {
		if !j.stopped {
			j.waiting++
			j.detached = false
			if j.kept {
				delete(t.running, key)
			}
			return j
		}
		t.mu.Unlock() // it goes soon, and lets go of its file
		<-j.ended
		t.mu.Lock()
	}
	jobCtx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	j := &job{cancel: cancel, ended: make(chan struct{}), waiting: 1}
	j.total.Store(-1)
	t.running[key] = j
	go func() {
		defer func() {
			j.panicked = recover()
			cancel()
			t.mu.Lock()
			if j.kept = j.detached && j.waiting == 0; j.kept {
				time.AfterFunc(keepFor, func() { t.forget(key, j) })
			} else {
				delete(t.running, key)
			}
			t.mu.Unlock()
			close(j.ended)
		}()
		j.queued.Store(true)
		select {
		case t.slots <- struct{}{}:
			defer func() { <-t.slots }()
		case <-jobCtx.Done():
			j.err = context.Cause(jobCtx)
			return
		}
		j.queued.Store(false)
		j.out, j.err = do(jobCtx, j)
	}()
	return j
}

// forget drops an outcome that nobody came for.
func (t *transfers) forget(key string, j *job) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.running[key] == j {
		delete(t.running, key)
	}
}

// leave says that a call no longer waits, and reports whether that stopped the
// job: nobody else waits, and nobody has left it to run on.
func (t *transfers) leave(j *job, detach bool) (stopped bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	j.waiting--
	j.detached = j.detached || detach
	if j.waiting == 0 && !j.detached {
		j.stopped = true
		j.cancel()
	}
	return j.stopped
}
