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

// dialog is a client that reads and writes line by line.
type dialog struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Scanner
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
	d := &dialog{t, toServer, bufio.NewScanner(fromServer)}
	d.say(strings.Split(initialize, "\n")[0])
	d.hear(`"id":0`)
	return d
}

func (d *dialog) say(line string) {
	d.t.Helper()
	if _, err := io.WriteString(d.in, strings.TrimSuffix(line, "\n")+"\n"); err != nil {
		d.t.Fatal(err)
	}
}

// hear reads the next line, which must have part in it.
func (d *dialog) hear(part string) string {
	d.t.Helper()
	if !d.out.Scan() {
		d.t.Fatalf("no %s, but the end: %v", part, d.out.Err())
	}
	if line := d.out.Text(); strings.Contains(line, part) {
		return line
	}
	d.t.Fatalf("no %s in %s", part, d.out.Text())
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
		d.in.Close()
		d.hear("ask failed: the client ended before it answered")
	})
}
