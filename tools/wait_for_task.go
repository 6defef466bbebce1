package tools

import (
	"context"

	"minimax-files-mcp/minimax"
)

type waitIn struct {
	TaskID      minimax.ID       `json:"task_id"`
	Kind        minimax.TaskKind `json:"kind"`
	WaitSeconds *int             `json:"wait_seconds"`
}

type waitOut struct {
	Status      string  `json:"status" jsonschema:"done, or in_progress: see next"`
	TaskID      string  `json:"task_id"`
	TaskStatus  string  `json:"task_status" jsonschema:"MiniMax's own word"`
	File        *record `json:"file,omitempty" jsonschema:"what the task made, where that is a file of the account"`
	DownloadURL string  `json:"download_url,omitempty" jsonschema:"what it made, where that is a URL only"`
	ExpiresAt   string  `json:"expires_at,omitempty" jsonschema:"when download_url stops working"`
	Next        string  `json:"next" jsonschema:"what to do next"`
}

func waitForTask(d Deps) Tool {
	tasks := newWatch(d)
	return define(Tool{
		Name:  "wait_for_task",
		Title: "Wait for a generation task",
		Description: "Wait until a MiniMax generation task is done and get the record of the file it made. " +
			"A task that failed or expired is an error with the reason." + insteadWait(d),
		Params: []Param{taskIDParam, kindParam, waitParam("How long to wait. A task that takes longer goes on: the answer is in_progress, and the same call again waits for the rest.")},
		Hints:  Hints{ReadOnly: true, Idempotent: true, OpenWorld: true},
	}, func(ctx context.Context, in waitIn) (waitOut, error) {
		t, err := tasks.wait(ctx, in.Kind, in.TaskID, patience(in.WaitSeconds), progressOf(ctx).words)
		if err != nil {
			return waitOut{}, retitle("wait for task "+string(in.TaskID), err)
		}
		out := waitOut{Status: "in_progress", TaskID: string(t.ID), TaskStatus: asData(t.Status), Next: "call wait_for_task again with the same arguments"}
		if !t.Done {
			return out, nil
		}
		it, err := d.itemMadeBy(ctx, t)
		if err != nil {
			return waitOut{}, retitle("wait for task "+string(in.TaskID), err)
		}
		out.Status, out.Next = "done", "call download_file with the same task_id and kind"
		if d.LinkOnly {
			out.Next = "fetch the download URL from where the file is needed"
		}
		if it.file.ID == "" {
			out.DownloadURL, out.ExpiresAt = it.file.DownloadURL, expiry(it.file)
			return out, nil
		}
		r := recordOf(it.file)
		out.File, out.ExpiresAt = &r, expiry(it.file)
		return out, nil
	})
}

// insteadWait points to download_file, which does both.
func insteadWait(d Deps) string {
	if d.LinkOnly {
		return ""
	}
	return " To save the file too, call download_file with task_id and kind instead."
}

var taskIDParam = Param{
	Name: "task_id", Type: ID, Required: true,
	Description: "The task's id, as a string: from the result of the MiniMax tool that started the generation.",
}

var kindParam = Param{
	Name: "kind", Required: true, Enum: taskKinds(),
	Description: "What the task makes: video (v1, such as Hailuo), speech (asynchronous), video_template, or video_v2 (H3, from /v2).",
}

func taskKinds() []string {
	var kinds []string
	for _, k := range minimax.TaskKinds() {
		kinds = append(kinds, string(k))
	}
	return kinds
}
