package transfer

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// patience is how much failure a transfer bears. A byte that comes renews it.
type patience struct {
	opts Options

	mu     sync.Mutex
	failed int
	policy *backoff.ExponentialBackOff
}

func newPatience(opts Options) *patience {
	p := &patience{opts: opts, policy: backoff.NewExponentialBackOff()}
	p.policy.InitialInterval, p.policy.MaxInterval, p.policy.Multiplier = opts.Backoff, 20*time.Second, 2
	p.policy.Reset()
	return p
}

func (p *patience) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed > 0 {
		p.failed = 0
		p.policy.Reset()
	}
}

// endure waits after a failure, or returns it where waiting is of no use.
func (p *patience) endure(ctx context.Context, err error) error {
	failed, ok := errors.AsType[*Error](err)
	p.mu.Lock()
	p.failed++
	over := p.failed >= p.opts.Tries
	wait := p.policy.NextBackOff()
	p.mu.Unlock()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !ok, !failed.Retryable(), over, failed.RetryAfter > maxWait:
		return err
	case failed.RetryAfter > 0:
		wait += failed.RetryAfter // not all at once
	}
	select {
	case <-time.After(wait):
		if p.opts.Retried != nil {
			p.opts.Retried()
		}
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
