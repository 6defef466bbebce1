package tools

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// A question is what a tool returns in place of an error when the caller's
// user has to decide: yes, or nothing is done. The adapter asks it, and calls
// the tool again with the [reply].
type question struct {
	message string
	state   string // sealed; it comes back with the reply
}

func (*question) Error() string { return "a question is open" }

// A reply is what came back. Neither part can be trusted: a client may send an
// answer to a question that was never asked.
type reply struct {
	state  string
	answer *mcp.ElicitationResult // nil where there is none
	err    error                  // why there is none, if that is known
}

type (
	replyKey struct{}
	askKey   struct{}
)

// replyTo is the reply that a call carries, false if it carries none.
func replyTo(ctx context.Context) (reply, bool) {
	r, ok := ctx.Value(replyKey{}).(reply)
	return r, ok
}

func withReply(ctx context.Context, r reply) context.Context {
	return context.WithValue(ctx, replyKey{}, r)
}

// canAsk reports that the caller's client can show a question to its user.
func canAsk(ctx context.Context) bool { able, _ := ctx.Value(askKey{}).(bool); return able }

// withAbility notes what the client said that it can.
func withAbility(ctx context.Context) context.Context {
	var elicitation *mcp.ElicitationCapability
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.ClientCapabilities != nil {
		elicitation = info.ClientCapabilities.Elicitation
	} else if session, ok := server.ClientSessionFromContext(ctx).(server.SessionWithClientInfo); ok {
		if _, ok := session.(server.SessionWithElicitation); ok {
			elicitation = session.GetClientCapabilities().Elicitation
		}
	}
	// A capability without details is that of forms, as it was at first.
	return context.WithValue(ctx, askKey{}, elicitation != nil && (elicitation.Form != nil || elicitation.URL == nil))
}

// replyID is the name of the one question of a call.
const replyID = "confirm"

// patienceWithUsers is how long a question stays open.
const patienceWithUsers = 10 * time.Minute

// form is a question without fields: accepting it is the answer.
func (q *question) form() mcp.ElicitationParams {
	return mcp.ElicitationParams{Message: q.message, RequestedSchema: map[string]any{"type": "object", "properties": map[string]any{}}}
}

// ask puts a question to the caller's user: in the modern era as the call's
// result, which the client sends again with the answer, before that as a
// request of the server's own, whose answer run takes up.
func ask(ctx context.Context, s *server.MCPServer, q *question, run func(context.Context) (any, error)) (*mcp.CallToolResult, any, error) {
	if mcp.IsModernProtocol(server.RequestProtocolVersion(ctx)) {
		return server.NewInputRequestBuilder(q.state).Elicit(replyID, q.form()).ToolResult(), nil, nil
	}
	asking, cancel := context.WithTimeout(ctx, patienceWithUsers)
	defer cancel()
	answer, err := s.RequestElicitation(asking, mcp.ElicitationRequest{
		Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)}, Params: q.form(),
	})
	if err != nil {
		answer = nil
	}
	out, err := run(withReply(ctx, reply{q.state, answer, err}))
	return nil, out, err
}

// A seal keeps a state from being read or made up by those it passes through.
type seal struct{ cipher.AEAD }

func newSeal(key []byte, purpose string) seal {
	sum := sha256.Sum256(append([]byte(purpose+"\x00"), key...))
	block, err := aes.NewCipher(sum[:])
	if err != nil {
		panic(err) // of the length of a key
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return seal{aead}
}

var errForged = errors.New("the state is not one that this server gave out")

// close makes text of a value.
func (s seal) close(v any) string {
	plain, err := json.Marshal(v)
	if err != nil {
		panic(err) // of a type of this package
	}
	return base64.RawURLEncoding.EncodeToString(s.Seal(nil, nil, plain, nil)) //nolint:gosec // it makes a nonce of its own
}

// open reads it back.
func (s seal) open(text string, into any) error {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return errForged
	}
	plain, err := s.Open(nil, nil, sealed, nil)
	if err != nil || json.Unmarshal(plain, into) != nil {
		return errForged
	}
	return nil
}
