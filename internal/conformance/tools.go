package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// fixed adds a tool that always answers the same.
func fixed(s *server.MCPServer, name, description string, content ...mcp.Content) {
	s.AddTool(mcp.NewTool(name, mcp.WithDescription(description)), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: content}, nil
	})
}

func addTools(s *server.MCPServer) {
	picture := mcp.NewImageContent(pixel(), "image/png")
	fixed(s, "test_simple_text", "Answers with text.", mcp.NewTextContent("This is a simple text response for testing."))
	fixed(s, "test_image_content", "Answers with an image.", picture)
	fixed(s, "test_audio_content", "Answers with audio.", mcp.NewAudioContent(silence(), "audio/wav"))
	fixed(s, "test_embedded_resource", "Answers with a resource.", embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."))
	fixed(s, "test_multiple_content_types", "Answers with text, an image and a resource.",
		mcp.NewTextContent("Multiple content types test:"), picture,
		embedded("test://mixed-content-resource", "application/json", `{"test":"data","value":123}`))
	s.AddTool(mcp.NewTool("test_error_handling", mcp.WithDescription("Fails.")), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("This tool intentionally returns an error for testing"), nil
	})
	s.AddTool(mcp.NewTool("test_tool_with_progress", mcp.WithDescription("Reports progress.")), func(ctx context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if call.Params.Meta != nil && call.Params.Meta.ProgressToken != nil {
			for _, done := range []int{0, 50, 100} {
				pause(ctx)
				params := map[string]any{"progressToken": call.Params.Meta.ProgressToken, "progress": done, "total": 100}
				if err := s.SendNotificationToClient(ctx, "notifications/progress", params); err != nil {
					return nil, err
				}
			}
		}
		return mcp.NewToolResultText("done"), nil
	})
	s.AddTool(mcp.NewTool("test_tool_with_logging", mcp.WithDescription("Logs while it runs.")), logging(s, "Tool execution started", "Tool processing data", "Tool execution completed"))
	s.AddTool(mcp.NewTool("test_logging_tool", mcp.WithDescription("Logs if the request wants it.")), logging(s, "one line"))
	s.AddTool(mcp.NewToolWithRawSchema("json_schema_2020_12_tool", "Has a schema with all that JSON Schema 2020-12 has.", json.RawMessage(schema2020)),
		func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText("ok"), nil
		})
	s.AddTool(mcp.NewToolWithRawSchema("test_custom_header", "Has an argument that travels as a header too.",
		json.RawMessage(`{"type":"object","properties":{"region":{"type":"string","x-mcp-header":"Region"}},"required":["region"]}`)),
		func(_ context.Context, call mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return mcp.NewToolResultText(call.GetString("region", "")), nil
		})
	s.AddTool(mcp.NewTool("test_trigger_tool_change", mcp.WithDescription("Changes the list of tools.")), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		fixed(s, "test_added", "Was not there before.", mcp.NewTextContent("added"))
		s.DeleteTools("test_added")
		return mcp.NewToolResultText("changed"), nil
	})
	s.AddTool(mcp.NewTool("test_trigger_prompt_change", mcp.WithDescription("Changes the list of prompts.")), func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		s.AddPrompt(mcp.NewPrompt("test_added_prompt"), func(context.Context, mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{Messages: []mcp.PromptMessage{}}, nil
		})
		s.DeletePrompts("test_added_prompt")
		return mcp.NewToolResultText("changed"), nil
	})
}

// schema2020 has what the suite looks for in a schema that must not be changed
// on its way.
const schema2020 = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object",
	"$defs": {"address": {"$anchor": "addressDef", "type": "object", "properties": {"street": {"type": "string"}, "city": {"type": "string"}}}},
	"properties": {
		"name": {"type": "string"}, "address": {"$ref": "#/$defs/address"},
		"contactMethod": {"type": "string", "enum": ["phone", "email"]}, "phone": {"type": "string"}, "email": {"type": "string"}
	},
	"allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
	"if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
	"then": {"required": ["phone"]}, "else": {"required": ["email"]},
	"additionalProperties": false
}`

// logging logs lines while it runs, to clients that want them.
func logging(s *server.MCPServer, lines ...string) server.ToolHandlerFunc {
	return func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for _, line := range lines {
			pause(ctx)
			message := mcp.NewLoggingMessageNotification(mcp.LoggingLevelInfo, "conformance", line)
			if err := s.SendLogMessageToClient(ctx, message); err != nil {
				return nil, err
			}
		}
		return mcp.NewToolResultText("logged"), nil
	}
}

func pause(ctx context.Context) {
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
	}
}

func embedded(uri, kind, text string) mcp.EmbeddedResource {
	return mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: uri, MIMEType: kind, Text: text})
}

// pixel is a red image of one pixel, in base64.
func pixel() string {
	img := image.NewRGBA(image.Rect(0, 0, 1, 1))
	img.Set(0, 0, color.RGBA{R: 255, A: 255})
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		panic(err) // to memory
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// silence is a WAV file of one sample, in base64.
func silence() string {
	var b bytes.Buffer
	for _, field := range []any{
		[]byte("RIFF"), uint32(38), []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1),
		uint32(8000), uint32(16000), uint16(2), uint16(16), []byte("data"), uint32(2), int16(0),
	} {
		if err := binary.Write(&b, binary.LittleEndian, field); err != nil {
			panic(err) // to memory
		}
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}
