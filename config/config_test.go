package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"minimax-files-mcp/config"
)

func TestLoad_defaults(t *testing.T) {
	home := t.TempDir()
	cfg, err := config.Load([]string{"HOME=" + home})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(home, "Downloads", "MiniMax"); cfg.BasePath != want {
		t.Errorf("BasePath is %s, want %s", cfg.BasePath, want)
	}
	if cfg.Region != "global" || cfg.ResourceMode != config.ModeLocal || cfg.LogLevel != slog.LevelInfo || cfg.APIKey.IsSet() || cfg.MaxDownload != 20<<30 {
		t.Errorf("defaults: %+v", cfg)
	}
	if cfg, err := config.Load(nil); err != nil || !filepath.IsAbs(cfg.BasePath) {
		t.Errorf("with an empty environment: %q, %v", cfg.BasePath, err)
	}
}

func TestLoad(t *testing.T) {
	keyFile := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(keyFile, []byte("key-from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load([]string{
		"MINIMAX_API_KEY_FILE=" + keyFile, "MINIMAX_API_KEY= ", "MINIMAX_REGION=CN", "MINIMAX_API_HOST=api.example.com/minimax/",
		"MINIMAX_API_QUERY=?channel_id=7&task=files", "MINIMAX_MCP_BASE_PATH=~/Movies", "MINIMAX_API_RESOURCE_MODE=url",
		"MINIMAX_MAX_DOWNLOAD_BYTES=2GiB", "MINIMAX_LOG_LEVEL=DEBUG", "MINIMAX_LOG_FORMAT=json", "HOME=/home/ada",
		"MINIMAX_MCP_UPLOAD_PATH=~/Music", "MINIMAX_READ_ONLY=true", "MINIMAX_TOOLS=list_files, read_file", "MINIMAX_DELETE_CONFIRM=Always",
	})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.APIKey.Reveal() != "key-from-file" || cfg.Region != "cn" || cfg.APIHost != "https://api.example.com/minimax" ||
		cfg.APIQuery.Encode() != "channel_id=7&task=files" || cfg.BasePath != filepath.Join("/home/ada", "Movies") || cfg.ResourceMode != config.ModeURL ||
		cfg.UploadPath != filepath.Join("/home/ada", "Music") || !cfg.ReadOnly || !slices.Equal(cfg.Tools, []string{"list_files", "read_file"}) || cfg.Confirm != config.ConfirmAlways ||
		cfg.MaxDownload != 2<<30 || cfg.LogLevel != slog.LevelDebug || cfg.LogFormat != config.LogJSON {
		t.Errorf("%+v", cfg)
	}
	for host, loopback := range map[config.BaseURL]bool{"http://127.0.0.1:80": true, "http://localhost": true, "https://[::1]:1": true, "https://api.minimax.io": false, "": false} {
		if host.IsLoopback() != loopback {
			t.Errorf("IsLoopback(%s) is %v", host, !loopback)
		}
	}
}

func TestLoad_reports_all_wrong_settings_together(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		environ []string
		want    []string
	}{
		"several": {
			[]string{"MINIMAX_REGION=mars", "MINIMAX_API_HOST=http://api.minimax.io", "MINIMAX_LOG_LEVEL=loud", "MINIMAX_MAX_DOWNLOAD_BYTES=much"},
			[]string{
				`MINIMAX_REGION is "mars": it must be one of [global cn]; for example MINIMAX_REGION=cn`,
				`MINIMAX_API_HOST is "http://api.minimax.io": it must start with https://`,
				`MINIMAX_LOG_LEVEL is "loud": it must be debug, info, warn or error; for example MINIMAX_LOG_LEVEL=debug`,
				`MINIMAX_MAX_DOWNLOAD_BYTES is "much": it is not a number of bytes`,
			},
		},
		"a query in the host":          {[]string{"MINIMAX_API_HOST=https://x/?a=b"}, []string{"MINIMAX_API_QUERY"}},
		"no host":                      {[]string{"MINIMAX_API_HOST=https://"}, []string{"it is not a URL"}},
		"a key with a space":           {[]string{"MINIMAX_API_KEY=s3cr3t key"}, []string{`MINIMAX_API_KEY is "***"`}},
		"a password in the host":       {[]string{"MINIMAX_API_HOST=https://u:s3cr3t@api.minimax.io"}, []string{"https://***@api.minimax.io"}},
		"a query with a token":         {[]string{"MINIMAX_API_QUERY=token=s3cr3t%zz"}, []string{`MINIMAX_API_QUERY is "***"`}},
		"a placeholder":                {[]string{"MINIMAX_API_KEY=${input:minimax-key}"}, []string{"placeholder"}},
		"a variable":                   {[]string{"MINIMAX_MCP_BASE_PATH=$HOME/x"}, []string{"no shell reads it"}},
		"an endless key file":          {[]string{"MINIMAX_API_KEY_FILE=/dev/zero"}, []string{"MINIMAX_API_KEY_FILE"}},
		"two keys":                     {[]string{"MINIMAX_API_KEY=s3cr3t", "MINIMAX_API_KEY_FILE=" + file}, []string{"MINIMAX_API_KEY is set too"}},
		"an empty key file":            {[]string{"MINIMAX_API_KEY_FILE=" + file}, []string{"empty"}},
		"no key file":                  {[]string{"MINIMAX_API_KEY_FILE=/no/such/file"}, []string{`"/no/such/file": it can't be read (no such file or directory)`}},
		"a file for directory":         {[]string{"MINIMAX_MCP_BASE_PATH=" + file}, []string{"it is not a directory"}},
		"an upload file":               {[]string{"MINIMAX_MCP_UPLOAD_PATH=" + file}, []string{"MINIMAX_MCP_UPLOAD_PATH", "it is not a directory"}},
		"a bad truth":                  {[]string{"MINIMAX_READ_ONLY=maybe"}, []string{"it must be true or false"}},
		"a bad confirmation":           {[]string{"MINIMAX_DELETE_CONFIRM=sometimes"}, []string{"[auto always never]"}},
		"a bad mode":                   {[]string{"MINIMAX_API_RESOURCE_MODE=both"}, []string{"[local url]"}},
		"a bad transport":              {[]string{"MCP_TRANSPORT=websocket"}, []string{"[stdio sse http]"}},
		"a bad address":                {[]string{"MCP_ADDRESS=here"}, []string{"host:port", "unix:"}},
		"a bad port":                   {[]string{"MCP_ADDRESS=127.0.0.1:http"}, []string{"from 0 to 65535"}},
		"an open door":                 {[]string{"MCP_TRANSPORT=http", "MCP_ADDRESS=0.0.0.0:8080"}, []string{"MCP_AUTH_TOKEN", "MCP_OAUTH_ISSUER", "127.0.0.1"}},
		"an open door, unnamed":        {[]string{"MCP_TRANSPORT=sse", "MCP_ADDRESS=:8080"}, []string{"MCP_AUTH_TOKEN"}},
		"a short token":                {[]string{"MCP_AUTH_TOKEN=s3cr3t"}, []string{"MCP_AUTH_TOKEN", "16 characters"}},
		"a strange token":              {[]string{"MCP_AUTH_TOKEN=s3cr3ts3cr3ts3cr3t\x01"}, []string{"no header carries"}},
		"no token file":                {[]string{"MCP_AUTH_TOKEN_FILE=/nowhere"}, []string{"MCP_AUTH_TOKEN_FILE", "can't be read"}},
		"any origin":                   {[]string{"MCP_ALLOWED_ORIGINS=*"}, []string{"not an origin"}},
		"any host":                     {[]string{"MCP_ALLOWED_HOSTS=*"}, []string{"one by one"}},
		"a certificate alone":          {[]string{"MCP_TLS_CERT_FILE=x"}, []string{"MCP_TLS_KEY_FILE", "both or neither"}},
		"OAuth for nobody":             {[]string{"MCP_OAUTH_ISSUER=https://login.example.com"}, []string{"MCP_PUBLIC_URL"}},
		"an open door to a proxy":      {[]string{"MCP_TRANSPORT=http", "MCP_PUBLIC_URL=https://mcp.example.com"}, []string{"MCP_PUBLIC_URL", "MCP_AUTH_TOKEN"}},
		"no token in it":               {[]string{"MCP_AUTH_TOKEN=, ,"}, []string{"MCP_AUTH_TOKEN", "no token"}},
		"an audience alone":            {[]string{"MCP_OAUTH_AUDIENCE=x"}, []string{"MCP_OAUTH_ISSUER", "MCP_OAUTH_AUDIENCE is set"}},
		"an issuer's metadata":         {[]string{"MCP_OAUTH_ISSUER=https://a.com/.well-known/openid-configuration", "MCP_PUBLIC_URL=https://x.org"}, []string{"as its tokens name it"}},
		"the endpoint for the address": {[]string{"MCP_PUBLIC_URL=https://x.org/mcp", "MCP_AUTH_TOKEN=0123456789abcdef"}, []string{"without /mcp"}},
		"a URL for a host":             {[]string{"MCP_ALLOWED_HOSTS=https://x"}, []string{"one by one"}},
		"a bad collector":              {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=foo"}, []string{"http://"}},
		"a bad bound":                  {[]string{"MCP_CALLS_AT_ONCE=-1"}, []string{"at least 0"}},
		"a bad delay":                  {[]string{"MCP_STOP_DELAY=5"}, []string{"5s or 2m"}},
		"a negative delay":             {[]string{"MCP_STOP_DELAY=-5s"}, []string{"less than nothing"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(tt.environ)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%q gives the key away", err)
			}
		})
	}
}

func TestSettings_are_documented_and_their_examples_valid(t *testing.T) {
	for _, s := range config.Settings() {
		if s.Name == "" || s.Doc == "" || s.Example == "" {
			t.Errorf("%+v lacks something", s)
		}
		switch s.Name {
		case "MINIMAX_API_KEY_FILE", "MCP_AUTH_TOKEN_FILE", "MINIMAX_API_KEY", "MCP_AUTH_TOKEN": // a file that is not there, and an ellipsis
			continue
		}
		const public, issuer = "MCP_PUBLIC_URL=https://x.org", "MCP_OAUTH_ISSUER=https://x.org"
		needs := map[string][]string{
			"MCP_OAUTH_ISSUER": {public}, "MCP_OAUTH_AUDIENCE": {public, issuer},
			"MCP_TLS_CERT_FILE": {"MCP_TLS_KEY_FILE=k"}, "MCP_TLS_KEY_FILE": {"MCP_TLS_CERT_FILE=c"},
		}
		if _, err := config.Load(append(needs[s.Name], s.Name+"="+s.Example)); err != nil {
			t.Errorf("the example of %s: %v", s.Name, err)
		}
	}
}

func TestUnknown(t *testing.T) {
	got := config.Unknown([]string{"MINIMAX_API_KEY=x", "MINIMAX_API_KEYS=x", "MINIMAX_HOST=x", "PATH=x"})
	if want := []string{"MINIMAX_API_KEYS", "MINIMAX_HOST"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestSecret_is_printed_by_nothing(t *testing.T) {
	cfg, err := config.Load([]string{"MINIMAX_API_KEY=sk-secret", "MCP_AUTH_TOKEN=sk-secret-for-callers"})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%T %[1]v"} {
		fmt.Fprintf(&out, verb, cfg.APIKey)
		fmt.Fprintf(&out, verb, &cfg.APIKey)
		fmt.Fprintf(&out, verb, cfg)
		fmt.Fprintf(&out, verb, &cfg)
		fmt.Fprintf(&out, verb, []any{cfg, map[string]any{"k": cfg.APIKey}})
	}
	if err := json.NewEncoder(&out).Encode(cfg); err != nil {
		t.Fatal(err)
	}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).Info("x", "cfg", cfg, "key", cfg.APIKey, "pointer", &cfg.APIKey)
	}
	fmt.Fprint(&out, fmt.Errorf("wrapped: %w", errors.New(fmt.Sprint(cfg.APIKey))))
	for _, printed := range []string{"sk-secret", "736b2d736563726574", "115 107"} {
		if strings.Contains(out.String(), printed) {
			t.Errorf("%s was printed:\n%s", printed, out.String())
		}
	}
	if !strings.Contains(out.String(), "***") {
		t.Error("nothing shows that there is a key")
	}
}

func TestLoad_a_server_for_a_team(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(file, []byte("third-token-of-the-team\nfourth-token-of-the-team\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load([]string{
		"MCP_TRANSPORT=HTTP", "MCP_ADDRESS=mcp.lan:8080", "MCP_AUTH_TOKEN=first-token-of-the-team, second-token-of-the-team", "MCP_AUTH_TOKEN_FILE=" + file,
		"MCP_PUBLIC_URL=https://MCP.example.com/files/", "MCP_ALLOWED_HOSTS=Other:80,[::1]", "MCP_ALLOWED_ORIGINS=https://App.example.com:443/", "MCP_OAUTH_ISSUER=https://tenant.auth0.com/",
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]bool{
		"tokens":                            slices.Equal(cfg.AuthTokens.Reveal(), []string{"first-token-of-the-team", "second-token-of-the-team", "third-token-of-the-team", "fourth-token-of-the-team"}),
		"hosts":                             slices.Equal(cfg.AllowedHosts, []string{"other", "::1", "mcp.example.com", "mcp.lan"}),
		"origins":                           slices.Equal(cfg.AllowedOrigins, []string{"https://app.example.com", "https://mcp.example.com"}),
		"issuer":                            cfg.OAuthIssuer == "https://tenant.auth0.com/",
		"audience":                          cfg.OAuthAudience == "https://MCP.example.com/files/mcp",
		"links by default":                  cfg.ResourceMode == config.ModeURL,
		"no uploads from the server's disk": cfg.UploadPath == "",
		"not private":                       !cfg.Address.IsPrivate(),
	} {
		if !got {
			t.Errorf("%s: %+v", name, cfg)
		}
	}
	cfg, err = config.Load([]string{"MCP_TRANSPORT=http", "MINIMAX_API_RESOURCE_MODE=local", "MINIMAX_MCP_UPLOAD_PATH=/srv/up"})
	if err != nil || cfg.ResourceMode != config.ModeLocal || cfg.UploadPath != "/srv/up" || !cfg.Address.IsPrivate() {
		t.Errorf("%+v, %v", cfg, err)
	}
}
