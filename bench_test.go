package main_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// besides runs ours and the peer's in turn, in random order, and reports the
// median of each and their ratio: these figures mean something on a noisy
// machine, where single times do not.
func besides(b *testing.B, ours, peer func()) {
	b.Helper()
	var took [2][]time.Duration
	run := []func(){ours, peer}
	for b.Loop() {
		for _, i := range rand.Perm(2) {
			started := time.Now()
			run[i]()
			took[i] = append(took[i], time.Since(started))
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	median := func(d []time.Duration) float64 { return float64(d[len(d)/2]) }
	b.ReportMetric(median(took[0])/1e6, "ours-ms")
	b.ReportMetric(median(took[1])/1e6, "peer-ms")
	b.ReportMetric(median(took[0])/median(took[1]), "ours/peer")
}
