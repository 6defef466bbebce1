package main_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// BenchmarkCalls measures retrieve_file over streamable HTTP, with several
// callers at a time, beside a bare mcp-go server whose one tool asks MiniMax
// the same. The rounds of both are mixed.
func BenchmarkCalls(b *testing.B) {
	bare, err := build(b.TempDir(), "./testdata/bare")
	if err != nil {
		b.Fatal(err)
	}
	api := startSandbox(b)
	ours := serveHTTP(b, append(against(api), "MCP_CALLS_PER_MINUTE=0", "MCP_CALLS_AT_ONCE=0", "MINIMAX_LOG_LEVEL=info")...)
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("%d_callers", callers), func(b *testing.B) {
			urls := []string{ours.url, startBare(b, bare, against(api))}
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
			defer client.CloseIdleConnections()
			var took [2][]time.Duration // per call
			var spent [2]time.Duration  // per round
			for _, url := range urls {
				round(b, client, url, callers, 200)
			}
			for b.Loop() {
				for _, i := range rand.Perm(2) {
					started := time.Now()
					took[i] = append(took[i], round(b, client, urls[i], callers, 1000)...)
					spent[i] += time.Since(started)
				}
			}
			b.ReportMetric(0, "ns/op")
			for i, of := range []string{"ours", "peer"} {
				slices.Sort(took[i])
				b.ReportMetric(float64(len(took[i]))/spent[i].Seconds(), of+"-calls/s")
				b.ReportMetric(float64(at(took[i], 0.5).Microseconds()), of+"-p50-us")
				b.ReportMetric(float64(at(took[i], 0.99).Microseconds()), of+"-p99-us")
			}
			b.ReportMetric(float64(at(took[0], 0.5))/float64(at(took[1], 0.5)), "ours/peer")
			b.ReportMetric(float64(at(took[0], 0.99))/float64(at(took[1], 0.99)), "p99-x")
		})
	}
}

func at(sorted []time.Duration, share float64) time.Duration {
	return sorted[int(share*float64(len(sorted)-1))]
}

// round makes so many calls and returns how long each took.
func round(b *testing.B, client *http.Client, url string, callers, calls int) []time.Duration {
	b.Helper()
	took := make([]time.Duration, calls)
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for i := c; i < calls; i += callers {
				started := time.Now()
				if err := callOnce(client, url, int64(i+1)); err != nil {
					b.Error(err)
				}
				took[i] = time.Since(started)
			}
		})
	}
	all.Wait()
	return took
}

// startBare starts the bare server, and returns its address when it answers.
func startBare(b *testing.B, bare string, environ []string) string {
	b.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", freePort(b))
	cmd := exec.Command(bare, address)
	cmd.Env = environ
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	for range 200 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return "http://" + address
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("the bare server does not answer")
	return ""
}
