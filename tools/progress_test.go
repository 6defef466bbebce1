package tools

import (
	"testing"
	"time"
)

func TestInWords(t *testing.T) {
	for _, tt := range []struct {
		done, total int64
		rate        float64
		want        string
	}{
		{0, -1, 0, "0 B"},
		{512, 999, 0, "512 of 999 B"},
		{12_400_000, 48_000_000, 6_100_000, "12.4 of 48.0 MB, 6.1 MB/s, 6 s left"},
		{400_000, 48_000_000, 0, "0.4 of 48.0 MB"},
		{48_000_000, 48_000_000, 6_100_000, "48.0 of 48.0 MB, 6.1 MB/s"},
		{12_400_000, -1, 6_100_000, "12.4 MB, 6.1 MB/s"},
		{1 << 30, 20_000_000_000, 10_000_000, "1.1 of 20.0 GB, 10 MB/s, 32 min left"},
		{0, 4_000_000_000_000, 100_000_000, "0.0 of 4.0 TB, 100 MB/s, 11 h left"},
		{999, 1000, 10_000, "1.0 of 1.0 kB, 10 kB/s, 1 s left"},
	} {
		if got := inWords(tt.done, tt.total, tt.rate); got != tt.want {
			t.Errorf("inWords(%d, %d, %g) = %q, want %q", tt.done, tt.total, tt.rate, got, tt.want)
		}
	}
}

func TestSpeed_counts_only_what_came_while_it_looked(t *testing.T) {
	var s speed
	at := time.Unix(0, 0)
	s.observe(500_000_000, at) // an earlier run left it
	if s.rate != 0 {
		t.Errorf("%g bytes per second after one look", s.rate)
	}
	for i := range 20 {
		s.observe(500_000_000+int64(i+1)*1_000_000, at.Add(time.Duration(i+1)*time.Second))
	}
	if s.rate < 0.99e6 || s.rate > 1.01e6 {
		t.Errorf("%g bytes per second, want a million", s.rate)
	}
}
