package main_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// balancer is how nginx stands before replicas: any of them answers any
// request. What it passes on once, it does not pass on again, as a call may
// have been carried out; a replica that takes no connection is passed over.
const balancer = `
daemon off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
worker_processes 1;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path %[1]s; proxy_temp_path %[1]s; fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
	upstream replicas {
		%[2]s
		keepalive 32;
	}
	server {
		listen 127.0.0.1:%[3]d;
		location / {
			proxy_pass http://replicas;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_set_header Host $host;
			proxy_read_timeout 15m;
			proxy_buffering off;
		}
	}
}
`

// A fleet is some replicas behind a balancer.
type fleet struct {
	t        *testing.T
	url      string
	environ  []string
	ports    []int
	replicas []*exec.Cmd
}

func startFleet(t *testing.T, size int, environ ...string) *fleet {
	t.Helper()
	nginx, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("it wants nginx, which the gate installs")
	}
	f := &fleet{t: t, environ: environ, replicas: make([]*exec.Cmd, size)}
	servers := []string{}
	for i := range size {
		f.ports = append(f.ports, freePort(t))
		servers = append(servers, fmt.Sprintf("server 127.0.0.1:%d max_fails=1 fail_timeout=1s;", f.ports[i]))
		f.start(i)
	}
	dir, port := t.TempDir(), freePort(t)
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, balancer, dir, strings.Join(servers, "\n\t\t"), port), 0o600); err != nil {
		t.Fatal(err)
	}
	proxy := exec.Command(nginx, "-c", conf, "-e", filepath.Join(dir, "error.log"))
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		proxy.Process.Signal(syscall.SIGTERM)
		proxy.Wait()
		if told, err := os.ReadFile(filepath.Join(dir, "error.log")); err == nil && t.Failed() {
			t.Logf("nginx says:\n%s", told)
		}
		for _, r := range f.replicas {
			r.Process.Kill()
			r.Wait()
		}
	})
	f.url = fmt.Sprintf("http://127.0.0.1:%d", port)
	f.await(f.url)
	return f
}

// start starts a replica, and returns when it answers.
func (f *fleet) start(i int) {
	cmd := exec.Command(binary)
	cmd.Env = append([]string{
		"HOME=" + f.t.TempDir(), "MCP_TRANSPORT=http", fmt.Sprintf("MCP_ADDRESS=127.0.0.1:%d", f.ports[i]),
		"MCP_CALLS_PER_MINUTE=0", "MCP_CALLS_AT_ONCE=0", "MINIMAX_LOG_LEVEL=error",
	}, f.environ...)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		f.t.Error(err)
		return
	}
	f.replicas[i] = cmd
	f.await(fmt.Sprintf("http://127.0.0.1:%d", f.ports[i]))
}

func (f *fleet) await(url string) {
	for range 200 {
		resp, err := http.Get(url + "/healthz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	f.t.Errorf("%s does not answer", url)
}

// restart ends a replica by a signal, and starts it again.
func (f *fleet) restart(i int, by syscall.Signal) {
	f.replicas[i].Process.Signal(by)
	f.replicas[i].Wait()
	f.start(i)
}

// TestReplicas makes many calls while a replica after the other goes and comes
// back, one in a second. A call whose replica is killed may fail, but its
// client is told, and never wrongly; where replicas are told to stop, none
// fails.
func TestReplicas(t *testing.T) {
	calls := 10_000
	if testing.Short() {
		calls = 1500
	}
	for name, by := range map[string]syscall.Signal{"killed": syscall.SIGKILL, "told to stop": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			f := startFleet(t, 3, append(against(startSandbox(t)), "MCP_STOP_DELAY=200ms")...)
			var next, answered, failed atomic.Int64
			done := make(chan struct{})
			restarts := 0
			var restarting sync.WaitGroup
			restarting.Go(func() {
				tick := time.NewTicker(time.Second)
				defer tick.Stop()
				for {
					select {
					case <-tick.C:
						f.restart(restarts%len(f.replicas), by)
						restarts++
					case <-done:
						return
					}
				}
			})
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}, Timeout: 30 * time.Second}
			defer client.CloseIdleConnections()
			pace := time.NewTicker(time.Second / 1500) // so that the calls last for some restarts
			defer pace.Stop()
			var callers sync.WaitGroup
			for range 8 {
				callers.Go(func() {
					for {
						id := next.Add(1)
						if id > int64(calls) {
							return
						}
						<-pace.C
						if err := callOnce(client, f.url, id); err == nil {
							answered.Add(1)
						} else if failed.Add(1); by == syscall.SIGTERM {
							t.Error(err)
						}
					}
				})
			}
			callers.Wait()
			close(done)
			restarting.Wait()
			t.Logf("%d restarts, %d calls answered, %d failed and were told so", restarts, answered.Load(), failed.Load())
			if answered.Load()+failed.Load() != int64(calls) || answered.Load() < int64(calls)*9/10 {
				t.Error("calls were lost")
			}
		})
	}
}
