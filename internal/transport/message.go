package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
)

// outline is as much of a JSON-RPC message as routing and logging need.
type outline struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
	Params struct {
		RequestID json.RawMessage `json:"requestId"`
		Name      string          `json:"name"`
	} `json:"params"`
}

// readMessage reads a posted message, and notes what it says. It reports false
// if it has answered that there is none.
func (h *HTTP) readMessage(w http.ResponseWriter, r *http.Request) (text []byte, msg outline, ok bool) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, "a message is sent with Content-Type: application/json")
		return nil, msg, false
	}
	var body bytes.Buffer
	if r.ContentLength > 0 {
		body.Grow(int(r.ContentLength) + bytes.MinRead) // it is bounded
	}
	if _, err := io.Copy(&body, r.Body); err != nil {
		if long, is := errors.AsType[*http.MaxBytesError](err); is {
			refuse(w, http.StatusRequestEntityTooLarge, tooLarge(long.Limit))
		} else {
			refuse(w, http.StatusBadRequest, "the request broke off, or took too long")
		}
		return nil, msg, false
	}
	text = bytes.TrimSpace(body.Bytes())
	_ = json.Unmarshal(text, &msg) // whoever handles it says what is wrong
	requestOf(r.Context()).speaks(known(msg.Method), msg.tool())
	if why := h.Limits.allow(CallerOf(r.Context()).Who, msg.Method); why != "" {
		refuse(w, http.StatusTooManyRequests, why)
		return nil, msg, false
	}
	return text, msg, true
}

// tool is the name of the tool that is called, if one is.
func (m outline) tool() string {
	if m.Method != "tools/call" || !isPlain(m.Params.Name) {
		return ""
	}
	return m.Params.Name
}

// known keeps what anybody can put into a method out of the log.
func known(method string) string {
	switch method {
	case "initialize", "ping", "tools/list", "tools/call", "resources/list", "resources/read", "resources/templates/list",
		"prompts/list", "prompts/get", "completion/complete", "logging/setLevel", "server/discover", "subscriptions/listen",
		"notifications/initialized", "notifications/cancelled", "notifications/progress":
		return method
	case "":
		return "response"
	}
	return "other"
}
