package main_test

import (
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// cost is what a run of some processes took.
type cost struct{ wall, cpu time.Duration }

// spent runs a command and returns what it took, with what it started.
func spent(b *testing.B, cmd *exec.Cmd) cost {
	b.Helper()
	started := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return cost{time.Since(started), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

// besides runs ours and the peer's in turn, in random order, and returns the
// median of each: on a noisy machine their ratio means something, where single
// times do not.
func besides(b *testing.B, ours, peer func() cost) (our, theirs cost) {
	b.Helper()
	var walls, cpus [2][]time.Duration
	run := []func() cost{ours, peer}
	for _, warm := range run {
		warm()
	}
	for b.Loop() {
		for _, i := range rand.Perm(2) {
			c := run[i]()
			walls[i], cpus[i] = append(walls[i], c.wall), append(cpus[i], c.cpu)
		}
	}
	b.ReportMetric(0, "ns/op")
	median := func(d []time.Duration) time.Duration {
		slices.Sort(d)
		return d[len(d)/2]
	}
	our, theirs = cost{median(walls[0]), median(cpus[0])}, cost{median(walls[1]), median(cpus[1])}
	b.ReportMetric(float64(our.wall.Milliseconds()), "ours-ms")
	b.ReportMetric(float64(theirs.wall.Milliseconds()), "peer-ms")
	return our, theirs
}
