package minimax_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"minimax-files-mcp/minimax"
)

func TestParseID(t *testing.T) {
	for _, tt := range []struct{ in, want, wrong string }{
		{"176844028768320", "176844028768320", ""},
		{" 176844028768320\n", "176844028768320", ""},
		{"9223372036854775807", "9223372036854775807", ""},
		{"L8ONzGzOpqzD", "L8ONzGzOpqzD", ""},
		{"", "", "empty"},
		{"  ", "", "empty"},
		{"-5", "", "negative"},
		{"1.5", "", "whole number"},
		{"1e15", "", "whole number"},
		{"9223372036854775808", "", "larger than 9223372036854775807"},
		{strings.Repeat("9", 30), "", "larger than"},
		{strings.Repeat("a", 65), "", "65 characters"},
		{"output_aigc.mp4", "", "'.'"},
		{"../../etc/passwd", "", "'.'"},
		{"1\u202e2", "", `'\u202e'`},
	} {
		got, err := minimax.ParseID(tt.in)
		if string(got) != tt.want || (err == nil) != (tt.wrong == "") || err != nil && !strings.Contains(err.Error(), tt.wrong) {
			t.Errorf("ParseID(%q) = %q, %v; want %q and an error with %q", tt.in, got, err, tt.want, tt.wrong)
		}
	}
}

func TestID_is_read_from_numbers_and_strings_without_loss(t *testing.T) {
	for in, want := range map[string]string{
		`9223372036854775807`:   "9223372036854775807",
		`"9223372036854775807"`: "9223372036854775807",
		`1789757930459131997`:   "1789757930459131997",
		`"L8ONzGzOpqzD"`:        "L8ONzGzOpqzD",
		`""`:                    "",
		`null`:                  "",
	} {
		var got struct{ ID minimax.ID }
		if err := json.Unmarshal([]byte(`{"ID":`+in+`}`), &got); err != nil || string(got.ID) != want {
			t.Errorf("%s is read as %q, %v; want %q", in, got.ID, err, want)
		}
	}
	for _, in := range []string{`1.5`, `1e3`, `true`, `{}`, `[1]`, `"a b"`} {
		var id minimax.ID
		if err := json.Unmarshal([]byte(in), &id); err == nil {
			t.Errorf("%s is read as %q; want an error", in, id)
		}
	}
}

func TestID_Compare_orders_by_value(t *testing.T) {
	ids := []minimax.ID{"b", "100", "99", "a", "9223372036854775807"}
	slices.SortFunc(ids, minimax.ID.Compare)
	if want := []minimax.ID{"99", "100", "9223372036854775807", "a", "b"}; !slices.Equal(ids, want) {
		t.Errorf("sorted: %v, want %v", ids, want)
	}
}

func FuzzID(f *testing.F) {
	for _, seed := range []string{`1`, `"1"`, `-0`, `1e9`, `"\u0000"`, `99999999999999999999`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var id minimax.ID
		if json.Unmarshal([]byte(in), &id) != nil || id == "" {
			return
		}
		text, err := json.Marshal(string(id))
		if err != nil {
			t.Fatal(err)
		}
		var again minimax.ID
		if err := json.Unmarshal(text, &again); err == nil && again != id {
			t.Errorf("%s is read as %q and then as %q", in, id, again)
		}
		// Whatever is text is what was typed, blanks aside.
		if parsed, err := minimax.ParseID(string(id)); err == nil && parsed != id {
			t.Errorf("ParseID changes %q to %q", id, parsed)
		}
	})
}
