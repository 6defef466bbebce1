package transport_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"minimax-files-mcp/internal/transport"
)

// dialog is a client that says and hears one message after the other.
type dialog struct {
	t    *testing.T
	send func(message string) error
	out  *bufio.Scanner
	cut  func() // ends it
}

func talk(t *testing.T) *dialog {
	t.Helper()
	requests, toServer := io.Pipe()
	fromServer, answers := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := (&transport.Stdio{Server: newServer(), In: requests, Out: answers, Log: slog.New(slog.DiscardHandler)}).Serve(context.Background())
		answers.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		toServer.Close()
		go io.Copy(io.Discard, fromServer)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	send := func(message string) error {
		_, err := io.WriteString(toServer, message+"\n")
		return err
	}
	d := &dialog{t, send, bufio.NewScanner(fromServer), func() { toServer.Close() }}
	d.say(strings.Split(initialize, "\n")[0])
	d.hear(`"id":0`)
	return d
}

func (d *dialog) say(message string) {
	d.t.Helper()
	if err := d.send(strings.TrimSuffix(message, "\n")); err != nil {
		d.t.Fatal(err)
	}
}

// hear reads the next message, which must have part in it.
func (d *dialog) hear(part string) string {
	d.t.Helper()
	for d.out.Scan() {
		line := strings.TrimPrefix(d.out.Text(), "data: ")
		if !strings.HasPrefix(line, "{") {
			continue // what else is in a stream of events
		}
		if !strings.Contains(line, part) {
			d.t.Fatalf("no %s in %s", part, line)
		}
		return line
	}
	d.t.Fatalf("no %s, but the end: %v", part, d.out.Err())
	return ""
}

// question reads what the server asks, and returns its id as JSON.
func (d *dialog) question() string {
	d.t.Helper()
	var msg struct {
		ID     json.RawMessage
		Params struct{ Message string }
	}
	if err := json.Unmarshal([]byte(d.hear(`"method":"elicitation/create"`)), &msg); err != nil || msg.Params.Message != "may I?" {
		d.t.Fatalf("%+v, %v", msg, err)
	}
	return string(msg.ID)
}

func TestStdio_asks(t *testing.T) {
	for name, tt := range map[string]struct{ answer, hears string }{
		"and hears yes":           {`"result":{"action":"accept"}`, "ask got accept"},
		"and hears no":            {`"result":{"action":"decline"}`, "ask got decline"},
		"who does not know how":   {`"error":{"code":-32601,"message":"no such method"}`, "ask failed: the client answered with an error"},
		"and hears nonsense":      {`"result":[1]`, "ask failed: the client's answer can't be read"},
		"and hears nothing of it": {`"result":null,"error":{}`, "ask failed"},
	} {
		t.Run(name, func(t *testing.T) {
			d := talk(t)
			d.say(call("1", "ask"))
			id := d.question()
			d.say(`{"jsonrpc":"2.0","id":"another","result":{"action":"accept"}}`) // to nobody
			d.say(call("2", "echo"))                                               // nothing waits for the user
			d.hear(`"id":2`)
			d.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,%s}`, id, tt.answer))
			d.hear(tt.hears)
			d.say(fmt.Sprintf(`{"jsonrpc":"2.0","id":%s,%s}`, id, tt.answer)) // twice
			d.say(call("3", "echo"))
			d.hear(`"id":3`)
		})
	}
}

func TestStdio_asks_a_client_that_withdraws_or_ends(t *testing.T) {
	t.Run("withdraws", func(t *testing.T) {
		d := talk(t)
		d.say(call("1", "ask"))
		id := d.question()
		d.say(`{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`)
		if line := d.hear("notifications/cancelled"); !strings.Contains(line, id) {
			t.Errorf("%s does not name %s", line, id)
		}
		d.say(call("2", "echo"))
		d.hear(`"id":2`) // and no answer to 1
	})
	t.Run("ends", func(t *testing.T) {
		d := talk(t)
		d.say(call("1", "ask"))
		d.question()
		d.cut()
		d.hear("ask failed: the client ended before it answered")
	})
}
