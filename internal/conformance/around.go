package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func addResources(s *server.MCPServer) {
	add := func(uri, kind string, contents mcp.ResourceContents) {
		s.AddResource(mcp.NewResource(uri, uri, mcp.WithMIMEType(kind), mcp.WithResourceDescription("A resource to read.")),
			func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
				return []mcp.ResourceContents{contents}, nil
			})
	}
	add("test://static-text", "text/plain", mcp.TextResourceContents{URI: "test://static-text", MIMEType: "text/plain", Text: "This is the content of the static text resource."})
	add("test://static-binary", "image/png", mcp.BlobResourceContents{URI: "test://static-binary", MIMEType: "image/png", Blob: pixel()})
	add("test://watched-resource", "text/plain", mcp.TextResourceContents{URI: "test://watched-resource", MIMEType: "text/plain", Text: "watched"})
	s.AddResourceTemplate(mcp.NewResourceTemplate("test://template/{id}/data", "template", mcp.WithTemplateMIMEType("application/json")),
		func(_ context.Context, read mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			id := strings.TrimSuffix(strings.TrimPrefix(read.Params.URI, "test://template/"), "/data")
			text := fmt.Sprintf(`{"id":%q,"templateTest":true,"data":"Data for ID: %s"}`, id, id)
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: read.Params.URI, MIMEType: "application/json", Text: text}}, nil
		})
}

// said is a prompt of messages by the user.
func said(contents ...mcp.Content) *mcp.GetPromptResult {
	messages := make([]mcp.PromptMessage, len(contents))
	for i, content := range contents {
		messages[i] = mcp.NewPromptMessage(mcp.RoleUser, content)
	}
	return mcp.NewGetPromptResult("A prompt to get.", messages)
}

func addPrompts(s *server.MCPServer) {
	add := func(name string, arguments []string, contents func(given map[string]string) []mcp.Content) {
		options := []mcp.PromptOption{mcp.WithPromptDescription("A prompt to get.")}
		for _, a := range arguments {
			options = append(options, mcp.WithArgument(a, mcp.RequiredArgument()))
		}
		s.AddPrompt(mcp.NewPrompt(name, options...), func(_ context.Context, get mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return said(contents(get.Params.Arguments)...), nil
		})
	}
	add("test_simple_prompt", nil, func(map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewTextContent("This is a simple prompt for testing.")}
	})
	add("test_prompt_with_arguments", []string{"arg1", "arg2"}, func(given map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewTextContent(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", given["arg1"], given["arg2"]))}
	})
	add("test_prompt_with_embedded_resource", []string{"resourceUri"}, func(given map[string]string) []mcp.Content {
		return []mcp.Content{embedded(given["resourceUri"], "text/plain", "Embedded resource content for testing."), mcp.NewTextContent("Please process it.")}
	})
	add("test_prompt_with_image", nil, func(map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewImageContent(pixel(), "image/png"), mcp.NewTextContent("Please look at it.")}
	})
}
