package transfer

import (
	"context"
	"errors"
	"io"
	"time"
)

// idleBody is a body that breaks off when no byte comes for too long, and can
// be read again from its start once its head was looked at.
type idleBody struct {
	io.ReadCloser
	head   []byte
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	idle   time.Duration
}

func (b *idleBody) Read(p []byte) (int, error) {
	if len(b.head) > 0 {
		n := copy(p, b.head)
		b.head = b.head[n:]
		return n, nil
	}
	b.timer.Reset(b.idle) // it runs while we wait for the host, not for the disk
	n, err := b.ReadCloser.Read(p)
	b.timer.Stop()
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(b.ctx), errIdle) {
		err = errIdle
	}
	return n, err
}

func (b *idleBody) Close() error {
	b.timer.Stop()
	b.cancel(nil)
	return b.ReadCloser.Close()
}
