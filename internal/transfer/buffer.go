package transfer

import (
	"context"
	"sync"
	"sync/atomic"
)

// bufferSize is how much is received, and stored, at a time.
const bufferSize = 512 << 10

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
	room chan struct{}

	mu   sync.Mutex
	free []*buffer // the last one that came back is still in the processor's cache
}

func newPool(size int) *pool { return &pool{room: make(chan struct{}, size)} }

// get waits for a buffer, with one user.
func (p *pool) get(ctx context.Context) (*buffer, error) {
	select {
	case p.room <- struct{}{}:
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
	<-p.room
}
