package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"minimax-files-mcp/minimax"
)

// How long a call waits. Clients give up after about 60 seconds of silence.
const (
	defaultWait = 45  // seconds
	maxWait     = 600 // seconds

	longest = 2 * time.Hour // that a task is waited for when no call waits
)

func waitParam(description string) Param {
	return Param{Name: "wait_seconds", Type: Integer, Min: 0, Max: maxWait, Default: defaultWait, Description: description}
}

// patience is how long a call asked to wait, or the usual time.
func patience(seconds *int) time.Duration {
	if seconds == nil {
		return defaultWait * time.Second
	}
	return time.Duration(*seconds) * time.Second
}

// A watch asks politely where tasks stand.
type watch struct {
	Deps
	speech *rate.Limiter
}

// speechQueries is how many the API takes in a second [DOC: 10].
const speechQueries = 8

func newWatch(d Deps) *watch { return &watch{d, rate.NewLimiter(speechQueries, 1)} }

// wait asks until the task is done, or for so long, and returns what was
// answered last. tell hears it in words.
func (w *watch) wait(ctx context.Context, kind minimax.TaskKind, id minimax.ID, most time.Duration, tell func(string)) (*minimax.Task, error) {
	started := time.Now()
	// The first question may take longer than the call waits; a later one is not
	// worth that, as there is an answer to give.
	later, cancel := context.WithDeadline(ctx, started.Add(most))
	defer cancel()
	if w.Stopping != nil && most < longest { // a call waits, which can be made anew
		defer context.AfterFunc(w.Stopping, cancel)()
	}
	// A video takes minutes, and the documentation advises 10 s; speech is there
	// sooner, and its limit is by the second.
	pause, longestPause := 10*time.Second, 30*time.Second
	if kind == minimax.TaskSpeech {
		pause, longestPause = time.Second, 10*time.Second
	}
	t, err := w.ask(ctx, kind, id)
	for pause = cmp.Or(w.PollEvery, pause); err == nil && !t.Done; pause = min(pause*3/2, longestPause) {
		next := time.After(pause)
		tick := time.NewTicker(10 * progressEvery)
		for waiting := true; waiting; {
			tell(fmt.Sprintf("the task is %s, after %s", asData(t.Status), time.Since(started).Round(time.Second)))
			select {
			case <-tick.C:
			case <-next:
				waiting = false
			case <-later.Done():
				tick.Stop()
				return t, context.Cause(ctx)
			}
		}
		tick.Stop()
		now, failed := w.ask(later, kind, id)
		if errors.Is(failed, errNoTurn) {
			<-later.Done()
		}
		if failed != nil && later.Err() != nil {
			return t, context.Cause(ctx)
		}
		t, err = now, failed
	}
	return t, err
}

// errNoTurn is that of a question whose turn would come too late.
var errNoTurn = errors.New("the API is asked for many tasks already")

// ask asks once, when its turn has come.
func (w *watch) ask(ctx context.Context, kind minimax.TaskKind, id minimax.ID) (*minimax.Task, error) {
	if kind == minimax.TaskSpeech {
		if err := w.speech.Wait(ctx); err != nil {
			return nil, cmp.Or(context.Cause(ctx), errNoTurn)
		}
	}
	return w.Files.Task(ctx, kind, id)
}
