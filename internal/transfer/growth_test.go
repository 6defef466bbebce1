package transfer

import (
	"testing"
	"time"
)

// TestGrowth plays links of several kinds to it.
func TestGrowth(t *testing.T) {
	const MiB, every = 1 << 20, 150 * time.Millisecond
	for name, tt := range map[string]struct {
		size int64
		rate func(connections int) float64 // MiB per second
		most int
		want int // connections in the end
	}{
		"throttled per connection":     {96 * MiB, func(n int) float64 { return 8 * float64(n) }, 8, 8},
		"throttled, 3 allowed":         {96 * MiB, func(n int) float64 { return 8 * float64(n) }, 3, 3},
		"one is as fast as many":       {4096 * MiB, func(int) float64 { return 900 }, 8, 2},
		"many are slower":              {4096 * MiB, func(n int) float64 { return 900 / float64(n) }, 8, 1},
		"done before another is there": {512 * MiB, func(int) float64 { return 900 }, 8, 1},
		"a link that two fill":         {960 * MiB, func(n int) float64 { return min(60*float64(n), 120) }, 8, 4},
		"nothing comes":                {96 * MiB, func(int) float64 { return 0 }, 8, 1},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(0, 0)
			g, running, done := &growth{most: tt.most, every: every, since: now}, 1, int64(0)
			for range 20 {
				now = now.Add(every)
				done = min(tt.size, done+int64(tt.rate(running)*MiB*every.Seconds()))
				add, retire := g.next(now, done, tt.size-done, running)
				if running += add - retire; running < 1 || running > tt.most {
					t.Fatalf("%d connections", running)
				}
			}
			if running != tt.want {
				t.Errorf("%d connections, want %d", running, tt.want)
			}
		})
	}
}
