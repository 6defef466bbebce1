package transport_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"minimax-files-mcp/internal/transport"
)

// anybody lets everybody in, each as a caller of its own.
type anybody struct{}

func (anybody) Authenticate(_ context.Context, token string) (string, error) { return token, nil }

func TestLimits(t *testing.T) {
	tokens := transport.NewTokens([]string{"ada", "bob"})
	ada, bob := "Authorization: Bearer ada", "Authorization: Bearer bob"
	t.Run("in a minute", func(t *testing.T) {
		s := serve(t, &transport.HTTP{Auth: tokens, Limits: &transport.Limits{PerMinute: 3}})
		for range 3 {
			if _, got := s.post(call("1", "echo"), ada); strings.Contains(got, "isError") {
				t.Fatal(got)
			}
		}
		if status, got := s.post(call("1", "echo"), ada); status != 200 || !strings.Contains(got, `"isError":true`) || !strings.Contains(got, "echo: more than 3 calls in a minute are not allowed. Wait 20 seconds, then call again.") {
			t.Errorf("%d %s", status, got)
		}
		if _, got := s.post(call("1", "echo"), bob); strings.Contains(got, "isError") {
			t.Errorf("another caller: %s", got)
		}
	})
	t.Run("at a time", func(t *testing.T) {
		mcpServer, started, _, leave := awaited()
		s := serve(t, &transport.HTTP{Server: mcpServer, Auth: tokens, Limits: &transport.Limits{Concurrent: 2}})
		answered := make(chan string, 3)
		await := func(caller string) {
			_, got := s.post(call("1", "await"), caller)
			answered <- got
		}
		for _, caller := range []string{ada, ada, bob} {
			go await(caller)
			<-started
		}
		if _, got := s.post(call("1", "echo"), ada); !strings.Contains(got, "2 calls of yours run already") {
			t.Error(got)
		}
		close(leave)
		for range 3 {
			if got := <-answered; !strings.Contains(got, "went on") {
				t.Error(got)
			}
		}
		if _, got := s.post(call("1", "echo"), ada); strings.Contains(got, "isError") {
			t.Errorf("afterwards: %s", got)
		}
	})
	t.Run("of very many callers", func(t *testing.T) {
		s := serve(t, &transport.HTTP{Auth: anybody{}, Limits: &transport.Limits{PerMinute: 1, Concurrent: 1}})
		for i := range 3000 {
			if _, got := s.post(call("1", "echo"), fmt.Sprintf("Authorization: Bearer %d", i)); strings.Contains(got, "isError") {
				t.Fatal(got)
			}
		}
		if _, got := s.post(call("1", "echo"), "Authorization: Bearer 2999"); !strings.Contains(got, "isError") {
			t.Error("one of very many is not remembered")
		}
	})
	t.Run("whatever keys a caller makes up", func(t *testing.T) {
		s := serve(t, &transport.HTTP{CredentialHeader: "X-Key", Limits: &transport.Limits{PerMinute: 1}})
		s.post(call("1", "echo"), "X-Key: one")
		if _, got := s.post(call("1", "echo"), "X-Key: another"); !strings.Contains(got, "isError") {
			t.Error(got)
		}
	})
	t.Run("reading resources too", func(t *testing.T) {
		s := serve(t, &transport.HTTP{Limits: &transport.Limits{PerMinute: 1}})
		const read = `{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"x://y"}}`
		if status, _ := s.post(read); status != 200 {
			t.Errorf("HTTP %d", status)
		}
		if status, got := s.post(read); status != 429 || !strings.Contains(got, "Wait 60 seconds") {
			t.Errorf("HTTP %d: %s", status, got)
		}
		if status, _ := s.post(`{"jsonrpc":"2.0","id":1,"method":"ping"}`); status != 200 {
			t.Errorf("ping: HTTP %d", status)
		}
	})
}
