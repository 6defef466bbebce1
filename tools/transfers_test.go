package tools

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestTransfers_lose_no_outcome ends jobs in the instant their call's time is
// up: the call gets the outcome, or the next one does.
func TestTransfers_lose_no_outcome(t *testing.T) {
	failure := errors.New("as it happens")
	running := newTransfers(Deps{})
	for i := range 200 {
		started := 0
		do := func(context.Context, *job) (saved, error) {
			started++
			time.Sleep(time.Millisecond) // as long as the call waits
			return saved{}, failure
		}
		wait := time.Duration(i%40) * 50 * time.Microsecond
		j, ended := running.run(t.Context(), "key", wait, do)
		if !ended {
			j, ended = running.run(t.Context(), "key", time.Minute, do)
		}
		if !ended || !errors.Is(j.err, failure) || started != 1 {
			t.Fatalf("after a wait of %v: ended %t, %v, started %d times", wait, ended, j.err, started)
		}
	}
	if len(running.jobs) > 0 || running.running > 0 || len(running.queue) > 0 {
		t.Errorf("left: %+v", running)
	}
}

// What one call was told to go on, another does not stop by leaving.
func TestTransfers_go_on_when_a_later_call_is_cancelled(t *testing.T) {
	running := newTransfers(Deps{})
	release := make(chan struct{})
	do := func(ctx context.Context, _ *job) (saved, error) {
		select {
		case <-release:
			return saved{}, nil
		case <-ctx.Done():
			return saved{}, ctx.Err()
		}
	}
	if _, ended := running.run(t.Context(), "key", 0, do); ended {
		t.Fatal("it has ended")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	running.run(cancelled, "key", time.Minute, do)
	close(release)
	if j, ended := running.run(t.Context(), "key", time.Minute, do); !ended || j.err != nil {
		t.Errorf("%t, %v", ended, j.err)
	}
}

func TestTransfers_let_a_queued_call_go(t *testing.T) {
	running := newTransfers(Deps{})
	release := make(chan struct{})
	hold := func(ctx context.Context, j *job) (saved, error) {
		err := running.turn(ctx, j)
		if err == nil {
			<-release
		}
		return saved{}, err
	}
	for i := range maxTransfers {
		if _, ended := running.run(t.Context(), string(rune('a'+i)), 0, hold); ended {
			t.Fatal("it has ended")
		}
	}
	full := func() bool {
		running.mu.Lock()
		defer running.mu.Unlock()
		return running.running == maxTransfers
	}
	for !full() {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	j, _ := running.run(ctx, "queued", time.Minute, hold)
	if !errors.Is(j.err, context.DeadlineExceeded) || len(running.queue) != 0 {
		t.Errorf("%v, %d queued", j.err, len(running.queue))
	}
	close(release)
	for i := range maxTransfers {
		running.run(t.Context(), string(rune('a'+i)), time.Minute, hold)
	}
}
