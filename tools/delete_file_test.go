package tools_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/mcp"

	"minimax-files-mcp/minimax/sandbox"
	"minimax-files-mcp/tools"
)

// user answers questions as told.
type user struct {
	does  mcp.ElicitationResponseAction
	err   error
	asked atomic.Int32
	saw   atomic.Value // string
}

func (u *user) Elicit(_ context.Context, req mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	u.asked.Add(1)
	u.saw.Store(req.Params.Message)
	if u.err != nil {
		return nil, u.err
	}
	return &mcp.ElicitationResult{ElicitationResponse: mcp.ElicitationResponse{Action: u.does, Content: map[string]any{}}}, nil
}

type deleted struct {
	FileID   string `json:"file_id"`
	Deleted  bool   `json:"deleted"`
	Filename string `json:"filename"`
	Purpose  string `json:"purpose"`
}

func TestDeleteFile_asks_the_user(t *testing.T) {
	for name, tt := range map[string]struct {
		user *user
		says string // "": it is deleted
	}{
		"who accepts":       {&user{does: mcp.ElicitationResponseActionAccept}, ""},
		"who declines":      {&user{does: mcp.ElicitationResponseActionDecline}, "the user declined"},
		"who cancels":       {&user{does: mcp.ElicitationResponseActionCancel}, "the user did not decide"},
		"who says nonsense": {&user{does: "perhaps"}, "the user did not decide"},
	} {
		t.Run(name, func(t *testing.T) {
			eachWayBut(t, cannotAsk, func(t *testing.T, connect func(*bench) *client.Client) {
				b := newBench(t, sandbox.Config{})
				tt.user.asked.Store(0)
				b.user = tt.user
				c := connect(b)
				arguments := `{"file_id":"` + sandbox.SeedVoice + `"}`
				if tt.says == "" {
					got := into[deleted](t, c, "delete_file", arguments)
					if !got.Deleted || got.Filename != "narrator.mp3" || got.Purpose != "voice_clone" || b.sandbox.Has(sandbox.SeedVoice) {
						t.Errorf("%+v", got)
					}
				} else if got := failing(t, c, "delete_file", arguments); !strings.Contains(got, tt.says) || !strings.HasSuffix(got, "Nothing was deleted.") || !b.sandbox.Has(sandbox.SeedVoice) {
					t.Errorf("%s", got)
				}
				question, _ := tt.user.saw.Load().(string)
				for _, want := range []string{`"narrator.mp3"`, "voice_clone", "19 kB", sandbox.SeedVoice, "can't be undone"} {
					if !strings.Contains(question, want) {
						t.Errorf("the user was asked %q, without %q", question, want)
					}
				}
				if n := tt.user.asked.Load(); n != 1 {
					t.Errorf("the user was asked %d times", n)
				}
			})
		})
	}
}

func TestDeleteFile_wants_the_name_where_no_question_arrives(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	b.user = &user{does: mcp.ElicitationResponseActionAccept} // who could be asked on other ways
	c := connectHTTP(t, b, mcp.LATEST_LEGACY_PROTOCOL_VERSION)
	if got := failing(t, c, "delete_file", `{"file_id":"`+sandbox.SeedVoice+`"}`); !strings.Contains(got, `confirm_filename "narrator.mp3"`) {
		t.Error(got)
	}
	if got := into[deleted](t, c, "delete_file", `{"file_id":"`+sandbox.SeedVoice+`","confirm_filename":"narrator.mp3"}`); !got.Deleted {
		t.Errorf("%+v", got)
	}
}

// A client of the modern era fails by itself then, and sends nothing.
func TestDeleteFile_asks_a_client_that_fails_to(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	b.user = &user{err: errors.New("no screen")}
	got := failing(t, connect(t, b), "delete_file", `{"file_id":"`+sandbox.SeedVoice+`"}`)
	if !strings.Contains(got, "the question was not answered: ") || !strings.Contains(got, "no screen") || !strings.HasSuffix(got, "Nothing was deleted.") || !b.sandbox.Has(sandbox.SeedVoice) {
		t.Errorf("%s", got)
	}
}

func TestDeleteFile_where_the_client_cannot_ask(t *testing.T) {
	eachWay(t, func(t *testing.T, connect func(*bench) *client.Client) {
		b := newBench(t, sandbox.Config{})
		c := connect(b)
		id := `"file_id":"` + sandbox.SeedVoice + `"`
		for arguments, says := range map[string]string{
			`{` + id + `}`: `make the call with confirm_filename "narrator.mp3"`,
			`{` + id + `,"confirm_filename":"narrator"}`:                              `it is called "narrator.mp3", and confirm_filename is "narrator"`,
			`{` + id + `,"confirm_filename":"narrator.mp3","purpose":"prompt_audio"}`: `its purpose is "voice_clone", and not "prompt_audio"`,
			`{"file_id":"1","confirm_filename":"narrator.mp3"}`:                       "file_id not exist",
		} {
			if got := failing(t, c, "delete_file", arguments); !strings.Contains(got, says) || !strings.HasSuffix(got, "Nothing was deleted.") {
				t.Errorf("%s: %s", arguments, got)
			}
		}
		if !b.sandbox.Has(sandbox.SeedVoice) || b.sandbox.Count("delete") != 0 {
			t.Error("it was deleted")
		}
		if got := into[deleted](t, c, "delete_file", `{`+id+`,"confirm_filename":"narrator.mp3"}`); !got.Deleted || b.sandbox.Has(sandbox.SeedVoice) {
			t.Errorf("%+v", got)
		}
		if got := failing(t, c, "delete_file", `{`+id+`,"confirm_filename":"narrator.mp3"}`); !strings.HasSuffix(got, "Nothing was deleted.") {
			t.Errorf("once more: %s", got)
		}
	})
}

func TestDeleteFile_confirmation_can_be_insisted_on_or_waived(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	b.deps.Confirm = tools.ConfirmAlways
	if got := failing(t, connect(t, b), "delete_file", `{"file_id":"`+sandbox.SeedVoice+`","confirm_filename":"narrator.mp3"}`); !strings.Contains(got, "MINIMAX_DELETE_CONFIRM") || !b.sandbox.Has(sandbox.SeedVoice) {
		t.Errorf("%s", got)
	}
	b.deps.Confirm = tools.ConfirmNever
	if got := into[deleted](t, connect(t, b), "delete_file", `{"file_id":"`+sandbox.SeedVoice+`"}`); !got.Deleted {
		t.Errorf("%+v", got)
	}
}

// raw sends a call of delete_file as it would stand on the wire, so that what
// comes with it can be spoilt, and returns the result.
func raw(t *testing.T, b *bench, era, id string, extra map[string]any) (result struct {
	ResultType    string                  `json:"resultType"`
	IsError       bool                    `json:"isError"`
	RequestState  string                  `json:"requestState"`
	InputRequests json.RawMessage         `json:"inputRequests"`
	Content       []struct{ Text string } `json:"content"`
}) {
	t.Helper()
	params := map[string]any{"name": "delete_file", "arguments": map[string]any{"file_id": id}}
	maps.Copy(params, extra)
	if mcp.IsModernProtocol(era) {
		params["_meta"] = map[string]any{
			mcp.MetaKeyProtocolVersion: era, mcp.MetaKeyClientInfo: map[string]any{"name": "test", "version": "1"},
			mcp.MetaKeyClientCapabilities: map[string]any{"elicitation": map[string]any{}},
		}
	}
	message, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(b.server().HandleMessage(t.Context(), message))
	if err != nil {
		t.Fatal(err)
	}
	answer := struct{ Result any }{&result}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return result
}

// TestDeleteFile_believes_no_answer_to_another_question holds what a client can
// send against what was asked: the file is there afterwards.
func TestDeleteFile_believes_no_answer_to_another_question(t *testing.T) {
	accepted := map[string]any{"confirm": map[string]any{"action": "accept"}}
	for _, era := range eras {
		for name, tt := range map[string]struct {
			state func(right, other string) string
			reply map[string]any
			late  bool
			says  string
		}{
			"a question that was never asked": {func(string, string) string { return "" }, accepted, false, "was not asked here"},
			"a forged state":                  {func(string, string) string { return "Zm9yZ2Vk" }, accepted, false, "was not asked here"},
			"a state with a bit flipped":      {flipped, accepted, false, "was not asked here"},
			"a state for another file":        {func(_, other string) string { return other }, accepted, false, "about another file"},
			"a state that has expired":        {func(right, _ string) string { return right }, accepted, true, "open for too long"},
			"a state without an answer":       {func(right, _ string) string { return right }, nil, false, "was not answered"},
			"an answer of another shape":      {func(right, _ string) string { return right }, map[string]any{"confirm": map[string]any{"yes": true}}, false, "did not decide"},
		} {
			t.Run(name+" "+era, func(t *testing.T) {
				b := newBench(t, sandbox.Config{})
				var late atomic.Int64
				b.deps.Now = func() time.Time { return time.Now().Add(time.Duration(late.Load())) }
				states := map[string]string{}
				for _, id := range []string{sandbox.SeedVoice, sandbox.SeedPrompt} {
					states[id] = stateFor(t, b, id)
				}
				if tt.late {
					late.Store(int64(11 * time.Minute))
				}
				extra := map[string]any{"requestState": tt.state(states[sandbox.SeedVoice], states[sandbox.SeedPrompt])}
				if tt.reply != nil {
					extra["inputResponses"] = tt.reply
				}
				got := raw(t, b, era, sandbox.SeedVoice, extra)
				if !got.IsError || !strings.Contains(got.Content[0].Text, tt.says) || !strings.HasSuffix(got.Content[0].Text, "Nothing was deleted.") {
					t.Errorf("%+v", got)
				}
				if !b.sandbox.Has(sandbox.SeedVoice) || b.sandbox.Count("delete") != 0 {
					t.Error("it was deleted")
				}
			})
		}
	}
}

func flipped(state, _ string) string {
	middle := len(state) / 2
	other := byte('A')
	if state[middle] == other {
		other = 'B'
	}
	return state[:middle] + string(other) + state[middle+1:]
}

// stateFor is what the server gives out with its question about a file: a
// client's own loop hides it.
func stateFor(t *testing.T, b *bench, id string) string {
	t.Helper()
	got := raw(t, b, mcp.LATEST_PROTOCOL_VERSION, id, nil)
	if got.ResultType != "input_required" || got.RequestState == "" || strings.Contains(got.RequestState, id) || !strings.Contains(string(got.InputRequests), id) {
		t.Fatalf("%+v", got)
	}
	return got.RequestState
}

func TestDeleteFile_that_may_have_happened(t *testing.T) {
	b := newBench(t, sandbox.Config{})
	c := connect(t, b)
	arguments := `{"file_id":"` + sandbox.SeedVoice + `","confirm_filename":"narrator.mp3"}`
	for name, tt := range map[string]struct {
		fault sandbox.Fault
		says  string
	}{
		"no answer": {sandbox.Fault{Reset: true}, "It may have been deleted all the same: call retrieve_file"},
		"a 502":     {sandbox.Fault{Status: 502}, "It may have been deleted"},
		"a refusal": {sandbox.Fault{Code: 2013, Message: "invalid params"}, "Nothing was deleted."},
		"bad key":   {sandbox.Fault{Code: 2049}, "Nothing was deleted."},
	} {
		b.sandbox.MisbehaveAt("delete", tt.fault)
		if got := failing(t, c, "delete_file", arguments); !strings.Contains(got, tt.says) {
			t.Errorf("%s: %s", name, got)
		}
	}
	if n := b.sandbox.Count("delete"); n != 4 {
		t.Errorf("%d requests for 4 calls", n)
	}
}
