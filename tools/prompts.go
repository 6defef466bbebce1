package tools

import (
	"context"
	"fmt"
	"strconv"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// A prompt is what a person picks from a menu: words that a model can act on
// with the tools it names.
type prompt struct {
	name, title, description string
	arguments                []mcp.PromptArgument
	needs                    string // the tool it is of no use without
	text                     func(arguments map[string]string) string
}

func addPrompts(s *server.MCPServer, d Deps, chosen []Tool) {
	has := map[string]bool{}
	for _, t := range chosen {
		has[t.Name] = true
	}
	for _, p := range prompts(d) {
		if !has[p.needs] {
			continue
		}
		s.AddPrompt(mcp.Prompt{Name: p.name, Title: p.title, Description: p.description, Arguments: p.arguments},
			func(_ context.Context, req mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
				for _, a := range p.arguments {
					given := req.Params.Arguments[a.Name]
					if a.Required && given == "" {
						return nil, fmt.Errorf("prompt %s: %s is missing. %s", p.name, a.Name, a.Description)
					}
					if _, err := strconv.ParseUint(given, 10, 31); a.Name == "older_than_days" && err != nil {
						return nil, fmt.Errorf("prompt %s: %s is not a whole number. %s", p.name, a.Name, a.Description)
					}
				}
				message := mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent(p.text(req.Params.Arguments)))
				return mcp.NewGetPromptResult(p.description, []mcp.PromptMessage{message}), nil
			})
	}
}

func prompts(d Deps) []prompt {
	save := "save what it made with download_file, and tell me its path"
	if d.LinkOnly {
		save = "get a link to what it made with download_file, and tell me when that expires"
	}
	purpose := mcp.PromptArgument{Name: "purpose", Description: "Only files of this purpose, such as voice_clone."}
	return []prompt{
		{
			name: "save_latest_generation", title: "Save my latest generation",
			description: "Download what MiniMax has made last in this conversation.",
			needs:       "download_file",
			text: func(map[string]string) string {
				return "Find the task_id or file_id of the latest MiniMax generation in this conversation, " + save +
					". While the answer is in_progress, call again with the same arguments. If there is no generation in this conversation, say so: MiniMax does not list generated videos."
			},
		},
		{
			name: "whats_in_my_storage", title: "What is in my storage?",
			description: "An overview of the files in the MiniMax account.",
			arguments:   []mcp.PromptArgument{purpose},
			needs:       "list_files",
			text: func(arguments map[string]string) string {
				which := "all files in my MiniMax account"
				if p := arguments["purpose"]; p != "" {
					which = fmt.Sprintf("the files of purpose %q in my MiniMax account", p)
				}
				return "List " + which + " with list_files, following next_cursor while has_more is true. Then give me a table by purpose: how many files, how much room, the newest and the oldest. Name the purposes that could not be listed."
			},
		},
		{
			name: "clean_up_storage", title: "Clean up my storage",
			description: "Find old files in the MiniMax account, and delete those that I name.",
			arguments:   []mcp.PromptArgument{{Name: "older_than_days", Description: "How old a file must be, in days, such as 30.", Required: true}, purpose},
			needs:       "delete_file",
			text: func(arguments map[string]string) string {
				which := "files"
				if p := arguments["purpose"]; p != "" {
					which = fmt.Sprintf("files of purpose %q", p)
				}
				return fmt.Sprintf("Find the %s in my MiniMax account that are older than %s days with list_files. Show them to me with file_id, name, size and age, and ask which to delete. "+
					"Delete none that I have not named, one at a time, with delete_file.", which, arguments["older_than_days"])
			},
		},
	}
}
