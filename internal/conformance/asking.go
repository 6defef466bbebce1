package main

import (
	"context"
	"fmt"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// addAsking adds the tools that send the client a request of the server's own,
// as the protocol has it up to 2025-11-25.
func addAsking(s *server.MCPServer) {
	s.AddTool(mcp.NewTool("test_sampling", mcp.WithDescription("Asks the client's model."), mcp.WithString("prompt")),
		func(ctx context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			answer, err := s.RequestSampling(ctx, mcp.CreateMessageRequest{ //nolint:staticcheck // the suite wants it for the versions that have it
				Request:             mcp.Request{Method: string(mcp.MethodSamplingCreateMessage)},
				CreateMessageParams: sampling(call.GetString("prompt", ""), 100),
			})
			if err != nil {
				return mcp.NewToolResultError(err.Error()), nil //nolint:nilerr // it is a result
			}
			return mcp.NewToolResultText(fmt.Sprintf("LLM response: %v", answer.Content)), nil
		})
	object := func(properties map[string]any) map[string]any {
		return map[string]any{"type": "object", "properties": properties}
	}
	titled := func(values ...string) (choices []any) {
		for _, v := range values {
			choices = append(choices, map[string]any{"const": v, "title": "The " + v})
		}
		return choices
	}
	for name, schema := range map[string]map[string]any{
		"test_elicitation": object(map[string]any{"response": map[string]any{"type": "string"}}),
		"test_elicitation_sep1034_defaults": object(map[string]any{
			"name":     map[string]any{"type": "string", "default": "John Doe"},
			"age":      map[string]any{"type": "integer", "default": 30},
			"score":    map[string]any{"type": "number", "default": 95.5},
			"status":   map[string]any{"type": "string", "enum": []string{"active", "inactive", "pending"}, "default": "active"},
			"verified": map[string]any{"type": "boolean", "default": true},
		}),
		"test_elicitation_sep1330_enums": object(map[string]any{
			"untitledSingle": map[string]any{"type": "string", "enum": []string{"option1", "option2"}},
			"titledSingle":   map[string]any{"type": "string", "oneOf": titled("value1", "value2")},
			"legacyEnum":     map[string]any{"type": "string", "enum": []string{"opt1", "opt2"}, "enumNames": []string{"One", "Two"}},
			"untitledMulti":  map[string]any{"type": "array", "items": map[string]any{"type": "string", "enum": []string{"option1", "option2"}}},
			"titledMulti":    map[string]any{"type": "array", "items": map[string]any{"anyOf": titled("value1", "value2")}},
		}),
	} {
		s.AddTool(mcp.NewTool(name, mcp.WithDescription("Asks the client's user."), mcp.WithString("message")),
			func(ctx context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				answer, err := s.RequestElicitation(ctx, mcp.ElicitationRequest{
					Request: mcp.Request{Method: string(mcp.MethodElicitationCreate)},
					Params:  mcp.ElicitationParams{Message: call.GetString("message", "What do you say?"), RequestedSchema: schema},
				})
				if err != nil {
					return mcp.NewToolResultError(err.Error()), nil //nolint:nilerr // it is a result
				}
				return mcp.NewToolResultText(fmt.Sprintf("Elicitation completed: action=%s, content=%v", answer.Action, answer.Content)), nil
			})
	}
}

func sampling(text string, most int) mcp.CreateMessageParams {
	return mcp.CreateMessageParams{
		Messages:  []mcp.SamplingMessage{{Role: mcp.RoleUser, Content: mcp.NewTextContent(text)}},
		MaxTokens: most,
	}
}

// question is a form with one text field.
func question(message, field string) mcp.ElicitationParams {
	return mcp.ElicitationParams{Message: message, RequestedSchema: map[string]any{
		"type": "object", "properties": map[string]any{field: map[string]any{"type": "string"}}, "required": []string{field},
	}}
}

// addInputRequired adds the tools that answer with what they want to know, as
// the protocol has it from 2026-07-28 on.
func addInputRequired(s *server.MCPServer) {
	tool := func(name string, do func(call mcp.CallToolRequest) (*mcp.CallToolResult, error)) {
		s.AddTool(mcp.NewTool(name, mcp.WithDescription("Wants more input.")), func(_ context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return do(call)
		})
	}
	done := func(format string, args ...any) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultText(fmt.Sprintf(format, args...)), nil
	}
	tool("test_input_required_result_elicitation", func(call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if answer := server.ElicitationResponse(call.Params.InputResponses, "user_name"); answer != nil {
			if content, ok := answer.Content.(map[string]any); ok && content["name"] != nil {
				return done("Hello, %v!", content["name"])
			}
		}
		return server.NewInputRequestBuilder("").Elicit("user_name", question("What is your name?", "name")).ToolResult(), nil
	})
	tool("test_input_required_result_sampling", func(call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if answer := server.SamplingResponse(call.Params.InputResponses, "capital_question"); answer != nil {
			return done("%v", answer.Content)
		}
		return server.NewInputRequestBuilder("").Sample("capital_question", sampling("What is the capital of France?", 100)).ToolResult(), nil
	})
	tool("test_input_required_result_list_roots", func(call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if answer := server.RootsResponse(call.Params.InputResponses, "client_roots"); answer != nil {
			return done("%d roots: %v", len(answer.Roots), answer.Roots)
		}
		return server.NewInputRequestBuilder("").Roots("client_roots").ToolResult(), nil
	})
	tool("test_input_required_result_request_state", func(call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if answer := server.ElicitationResponse(call.Params.InputResponses, "confirm"); answer != nil && call.Params.RequestState == "asked" {
			return done("state-ok")
		}
		return server.NewInputRequestBuilder("asked").Elicit("confirm", question("Please confirm", "ok")).ToolResult(), nil
	})
	tool("test_input_required_result_tampered_state", func(call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		switch call.Params.RequestState {
		case "":
			return server.NewInputRequestBuilder(sealed).Elicit("confirm", question("Please confirm", "ok")).ToolResult(), nil
		case sealed:
			return done("state-ok")
		}
		return nil, fmt.Errorf("%w: the state was altered", mcp.ErrInvalidParams)
	})
	tool("test_input_required_result_multiple_inputs", func(call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if len(call.Params.InputResponses) >= 3 {
			return done("all there")
		}
		return server.NewInputRequestBuilder("three").Elicit("user_name", question("What is your name?", "name")).
			Sample("greeting", sampling("Generate a greeting", 50)).Roots("client_roots").ToolResult(), nil
	})
	tool("test_input_required_result_multi_round", func(call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		switch {
		case call.Params.RequestState == "second" && server.ElicitationResponse(call.Params.InputResponses, "step2") != nil:
			return done("both steps done")
		case call.Params.RequestState == "first" && server.ElicitationResponse(call.Params.InputResponses, "step1") != nil:
			return server.NewInputRequestBuilder("second").Elicit("step2", question("Step 2: What is your favorite color?", "color")).ToolResult(), nil
		}
		return server.NewInputRequestBuilder("first").Elicit("step1", question("Step 1: What is your name?", "name")).ToolResult(), nil
	})
	s.AddTool(mcp.NewTool("test_input_required_result_capabilities", mcp.WithDescription("Asks for what the client can do.")),
		func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			ask, able := server.NewInputRequestBuilder(""), server.RequestProtocolInfoFromContext(ctx).ClientCapabilities
			if able.Sampling != nil {
				ask.Sample("sample", sampling("Say something", 10))
			}
			if able.Elicitation != nil {
				ask.Elicit("ask", question("Who are you?", "name"))
			}
			return ask.ToolResult(), nil
		})
	s.AddTool(mcp.NewTool("test_missing_capability", mcp.WithDescription("Wants a client that can sample.")),
		func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			if info := server.RequestProtocolInfoFromContext(ctx); info.ClientCapabilities == nil || info.ClientCapabilities.Sampling == nil {
				return nil, mcp.MissingRequiredClientCapabilityError{Capability: "sampling"}
			}
			return done("it can")
		})
	tool("test_streaming_elicitation", func(mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return server.NewInputRequestBuilder("").Elicit("ask", question("Who are you?", "name")).ToolResult(), nil
	})
	s.AddPrompt(mcp.NewPrompt("test_input_required_result_prompt", mcp.WithPromptDescription("Wants more input.")), func(_ context.Context, get mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		answer := server.ElicitationResponse(get.Params.InputResponses, "user_context")
		if answer == nil {
			return server.NewInputRequestBuilder("").Elicit("user_context", question("What context should the prompt use?", "context")).PromptResult(), nil
		}
		return said(mcp.NewTextContent(fmt.Sprintf("Use %v.", answer.Content))), nil
	})
}

// sealed stands for a state that nobody can make up.
const sealed = "9b1c6a6c0f5e4f0d8a"
