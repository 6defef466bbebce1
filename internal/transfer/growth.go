package transfer

import "time"

const (
	// worthwhile is how many more measurements a transfer must take for another
	// connection to be opened.
	worthwhile = 7
	// raised is what added connections must bring for more to be added: a link
	// that is throttled per connection doubles, a fast link gains next to nothing.
	raised = 1.25
)

// growth decides from the rate how many connections to use: their number is
// doubled as long as that raises it.
type growth struct {
	most  int
	every time.Duration // between two measurements

	over     bool      // no more are added
	settling bool      // what was added has only begun
	added    int       // the last time
	before   float64   // the rate before that, in bytes per second
	last     int64     // bytes that were there
	since    time.Time // when
}

// next is asked at every measurement, with what is there and what is missing, in
// bytes, and how many connections run.
func (g *growth) next(now time.Time, done, missing int64, running int) (add, retire int) {
	rate := float64(done-g.last) / now.Sub(g.since).Seconds()
	g.last, g.since = done, now
	switch {
	case g.settling:
		g.settling = false
		return 0, 0
	case g.over, rate <= 0, float64(missing)/rate < worthwhile*g.every.Seconds():
		return 0, 0
	case g.before > 0 && rate < g.before*raised:
		g.over = true
		if rate < g.before {
			return 0, g.added // it was better without
		}
		return 0, 0
	}
	g.before, g.settling = rate, true
	g.added = min(running, g.most-running)
	g.over = g.added == 0
	return g.added, 0
}
