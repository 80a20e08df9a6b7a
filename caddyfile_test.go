// SPDX-License-Identifier: Apache-2.0

package webhooks

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

func adapt(t testing.TB, text string) ([]byte, error) {
	t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	return adapted, err
}

// Each fixture is a Caddyfile, a line of dashes, and the JSON it stands for.
func TestAdaptFixtures(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		input, want, ok := strings.Cut(string(content), "\n----------\n")
		if !ok {
			t.Errorf("%s: no line of dashes", file)
			continue
		}
		if formatted := caddyfile.Format([]byte(input)); strings.TrimSpace(string(formatted)) != strings.TrimSpace(input) {
			t.Errorf("%s is not formatted as caddy fmt does", file)
		}
		adapted, err := adapt(t, input)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, adapted, "", "\t"); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(indented.String()); got != strings.TrimSpace(want) {
			t.Errorf("%s is adapted to:\n%s", file, got)
		}
	}
}

// The example must stay what users can copy: formatted, and valid as it is.
func TestExample(t *testing.T) {
	t.Setenv("WEBHOOK_SECRET", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	content, err := os.ReadFile("Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(caddyfile.Format(content)), bytes.TrimSpace(content)) {
		t.Error("Caddyfile.example is not formatted as caddy fmt does")
	}
	validate(t, string(content))
}

func validate(t *testing.T, text string) {
	t.Helper()
	adapted, err := adapt(t, text)
	if err != nil {
		t.Fatal(err)
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&config); err != nil {
		t.Error(err)
	}
}

// Every mistake ends in an error that says what is wrong, where, and what to
// write instead.
func TestCaddyfileErrors(t *testing.T) {
	site := func(lines string) string {
		return ":80 {\n\twebhooks {\n\t\tupstream localhost:9000\n" + lines + "\n\t}\n}\n"
	}
	global := func(lines string) string { return "{\n\twebhooks {\n" + lines + "\n\t}\n}\n" }
	endpoint := func(lines string) string { return global("endpoint erp https://a.example/ {\n" + lines + "\n}") }
	item := func(lines string) string { return site("\t\tresource items {\n" + lines + "\n\t\t}") }
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"unknown option":           {site("resources items"), []string{`unknown option "resources"`, "it takes upstream", "Caddyfile:4"}},
		"no upstream":              {":80 {\n\twebhooks {\n\t\tresource items\n\t}\n}\n", []string{"upstream is missing", "as `upstream 127.0.0.1:9000`", "Caddyfile:4"}},
		"upstream without address": {":80 {\n\twebhooks {\n\t\tupstream\n\t\tresource items\n\t}\n}\n", []string{"upstream takes the address", "Caddyfile:3"}},
		"bad proxy option":         {":80 {\n\twebhooks {\n\t\tupstream localhost:9000 {\n\t\t\tbogus\n\t\t}\n\t\tresource items\n\t}\n}\n", []string{"bogus", "Caddyfile:4"}},
		"no resource":              {site(""), []string{"no resource is declared", "as `resource items`", "Caddyfile:"}},
		"argument":                 {":80 {\n\twebhooks /a b {\n\t\tupstream localhost:9000\n\t}\n}\n", []string{`unexpected "b"`, "Caddyfile:2"}},
		"twice":                    {site("capture 1MiB\ncapture 2MiB\nresource items"), []string{"capture stands twice", "Caddyfile:5"}},
		"size":                     {site("capture lots\nresource items"), []string{"capture takes a size", `"lots"`, "Caddyfile:4"}},
		"duration":                 {site("upstream_timeout 30\nresource items"), []string{"upstream_timeout takes a duration, as 30s", "Caddyfile:4"}},
		"policy":                   {site("on_queue_error panic\nresource items"), []string{"on_queue_error is pass or fail", "Caddyfile:4"}},
		"count":                    {site("max_shows -1\nresource items"), []string{"max_shows takes a number above 0", "Caddyfile:4"}},

		"duplicate resource":     {site("resource items\nresource users\nresource items"), []string{"resource items is declared twice; merge the two", "Caddyfile:6"}},
		"resource without name":  {site("resource"), []string{"resource takes one argument", "Caddyfile:4"}},
		"bad name":               {site("resource a/b"), []string{"a name is made of letters", "Caddyfile:4"}},
		"unknown word":           {item("upsert POST /items"), []string{`unknown option "upsert" of resource items`, "it takes show, keep, create", "Caddyfile:5"}},
		"show without id":        {item("id id\nshow GET /items"), []string{"put :id where its id stands, as /items/:id", "Caddyfile:6"}},
		"update without id":      {item("create POST /items\nupdate PATCH /items"), []string{"update PATCH /items", "the path lacks :id", "put :id where it stands", "Caddyfile:6"}},
		"relative path":          {item("create POST items"), []string{"begins with '/'", "Caddyfile:5"}},
		"no method":              {item("create /items"), []string{"create takes methods and a path", "Caddyfile:5"}},
		"bad method":             {item("create post /items"), []string{`"post" is no HTTP method`, "in capitals", "Caddyfile:5"}},
		"two rules, one request": {item("update PATCH /items/:id\nupdate PUT|PATCH /items/:id"), []string{"match the same requests; remove one", "Caddyfile:6"}},
		"two resources, one request": {
			site("resource items\nresource goods {\nshow GET /items/:id\n}"),
			[]string{"of resource items", "of resource goods", "match the same requests", "Caddyfile:6"},
		},
		"id without path":      {item("id"), []string{"id takes the path", "Caddyfile:5"}},
		"id twice":             {item("id id\nid items.id"), []string{"id stands twice in resource items", "Caddyfile:6"}},
		"version":              {item("version a b"), []string{"version takes the path of one field", "Caddyfile:5"}},
		"modifier":             {item("version a.@this"), []string{"modifiers of gjson are not allowed", "Caddyfile:5"}},
		"event without on":     {item("event items.updated change"), []string{"event takes a type and a trigger, as `event items.updated on change`", "Caddyfile:5"}},
		"event on what":        {item("event items.updated on update"), []string{"on takes create, change or delete", "Caddyfile:5"}},
		"event on create path": {item("event items.updated on create items.state"), []string{"only on change takes fields", "Caddyfile:5"}},
		"event to without":     {item("event items.paid on change to completed"), []string{"need the path of the field", "Caddyfile:5"}},
		"event to nothing":     {item("event items.paid on change items.state to"), []string{"followed by values", "Caddyfile:5"}},
		"event type":           {item("event items/paid on change"), []string{"is not a letter", "Caddyfile:5"}},
		"event braces":         {item("event items.{x on change"), []string{"braces take a path", "Caddyfile:5"}},

		"unknown global":       {global("store badger /x"), []string{`unknown option "store"`, "it takes queue", "Caddyfile:3"}},
		"global twice":         {"{\n\twebhooks {\n\t}\n\twebhooks {\n\t}\n}\n", []string{"stands twice; merge the two", "Caddyfile:4"}},
		"engine":               {global("queue postgres x"), []string{`no engine "postgres"`, "badger", "Caddyfile:3"}},
		"durability":           {global("durability none"), []string{"durability is power or process", "Caddyfile:3"}},
		"retention":            {global("retention long"), []string{"retention takes a duration", "Caddyfile:3"}},
		"retention size":       {global("retention 7d much"), []string{"takes a size", "Caddyfile:3"}},
		"free space":           {global("free_space plenty"), []string{"free_space takes sizes", "Caddyfile:3"}},
		"no free space":        {global("free_space"), []string{"free_space takes how much", "Caddyfile:3"}},
		"little free space":    {global("free_space 2GiB 1MiB"), []string{"at least 192 MiB", "Caddyfile:3"}},
		"secrets key":          {global("secrets_key"), []string{"openssl rand -base64 32", "Caddyfile:3"}},
		"endpoint without URL": {global("endpoint erp"), []string{"endpoint takes a name and a URL", "Caddyfile:3"}},
		"endpoint twice": {
			global("endpoint erp https://a.example/ {\nsecret {env.S}\n}\nendpoint erp https://b.example/ {\nsecret {env.S}\n}"),
			[]string{"endpoint erp is declared twice", "Caddyfile:6"},
		},
		"no secret":                 {global("durability power\nendpoint erp https://a.example/"), []string{"has no secret", "add `secret {env.NAME}`", "Caddyfile:4"}},
		"not HTTPS":                 {global("endpoint erp http://a.example/ {\nsecret {env.S}\n}"), []string{"endpoint erp", "https", "allow http", "Caddyfile:3"}},
		"private address":           {global("endpoint erp https://10.0.0.1/ {\nsecret {env.S}\n}"), []string{"endpoint erp", "allow network", "Caddyfile:3"}},
		"no URL":                    {global("endpoint erp nowhere {\nsecret {env.S}\n}"), []string{"endpoint erp", "Caddyfile:3"}},
		"bad filter":                {global("endpoint erp https://a.example/ {\nevents i*\nsecret {env.S}\n}"), []string{"i*", "Caddyfile:4"}},
		"bad condition":             {endpoint(`filter "object.amount >"`), []string{"filter, column 16", "Caddyfile:4"}},
		"condition in words":        {endpoint(`filter object.amount > 100`), []string{"filter", "Caddyfile:4"}},
		"bad retry":                 {global("endpoint erp https://a.example/ {\nsecret {env.S}\nretry often\n}"), []string{"retry takes durations", "Caddyfile:5"}},
		"unknown endpoint":          {global("endpoint erp https://a.example/ {\nsecret {env.S}\npassword x\n}"), []string{`unknown option "password" of endpoint erp`, "Caddyfile:5"}},
		"secret without value":      {endpoint("secret"), []string{"secret of endpoint erp takes a value", "Caddyfile:4"}},
		"secret's option":           {endpoint("secret {env.S} {\nuntil tomorrow\n}"), []string{`unknown option "until" of secret`, "replaced and overlap", "Caddyfile:5"}},
		"secret's overlap":          {endpoint("secret {env.S} {\noverlap long\n}"), []string{"overlap takes a duration", "Caddyfile:5"}},
		"no secret for a signature": {endpoint("signature rfc9421"), []string{"has no secret", "Caddyfile:3"}},
		"signature without scheme":  {endpoint("signature"), []string{"signature takes standard, x-signature", "Caddyfile:4"}},
		"another signature":         {endpoint("signature jwt"), []string{"signature takes standard", "jwt", "Caddyfile:4"}},
		"another style":             {endpoint("signature x-signature twitter {\nkey {env.K}\n}"), []string{`no style "twitter"`, "stripe", "Caddyfile:6"}},
		"a style without a key":     {endpoint("signature x-signature hex"), []string{"needs a key", "key {env.NAME}", "Caddyfile:4"}},
		"a style's option":          {endpoint("signature x-signature hex {\nprefix sha256=\n}"), []string{`unknown option "prefix"`, "it takes key, header", "Caddyfile:5"}},
		"a style's hash":            {endpoint("signature x-signature {\nkey {env.K}\nalgorithm md5\n}"), []string{"sha256, sha512 or sha1", "Caddyfile:"}},
		"a style's header":          {endpoint("signature x-signature {\nkey {env.K}\nheader Host\n}"), []string{"Host has a use of its own", "Caddyfile:"}},
		"a style's content":         {endpoint("signature x-signature {\nkey {env.K}\ncontent {timestamp}\n}"), []string{"{body} must stand there once", "Caddyfile:"}},
		"a style with two keys":     {endpoint("signature x-signature hex {\nkey {env.K} {env.L}\n}"), []string{"holds one signature", "Caddyfile:"}},
		"auth without kind":         {endpoint("auth"), []string{"auth takes `basic USER PASSWORD`", "Caddyfile:4"}},
		"another auth":              {endpoint("auth digest a b"), []string{"auth takes `basic USER PASSWORD`", "Caddyfile:4"}},
		"auth in a header":          {endpoint("auth header webhook-id x"), []string{"Webhook-Id has a use of its own", "Caddyfile:4"}},
		"auth header without value": {endpoint("auth header X-Key"), []string{"auth takes", "Caddyfile:4"}},
		"oauth2 without client":     {endpoint("auth oauth2 https://login.example"), []string{"needs a client_id and a client_secret", "Caddyfile:4"}},
		"oauth2's option":           {endpoint("auth oauth2 https://login.example {\naudience x\n}"), []string{`unknown option "audience"`, "param", "Caddyfile:5"}},
		"oauth2's param":            {endpoint("auth oauth2 https://login.example {\nparam audience\n}"), []string{"param takes a name and a value", "Caddyfile:5"}},
		"tls on the line":           {endpoint("tls ca.pem"), []string{`unexpected "ca.pem" after tls`, "Caddyfile:4"}},
		"tls's option":              {endpoint("tls {\ninsecure\n}"), []string{"client_certificate CERTIFICATE KEY", "Caddyfile:5"}},
		"tls without anything":      {endpoint("tls {\n}"), []string{"tls of endpoint erp is empty", "Caddyfile:"}},
		"payload without format":    {endpoint("payload"), []string{"payload takes show", "Caddyfile:4"}},
		"another payload":           {endpoint("payload xml"), []string{"there are show, standard", "Caddyfile:4"}},
		"payload's previous":        {endpoint("payload show previous"), []string{"no place for previous", "Caddyfile:4"}},
		"payload's fields":          {endpoint("payload fields status"), []string{`"status" does not fit after fields`, "Caddyfile:4"}},
		"payload without fields":    {endpoint("payload fields"), []string{"write them as NAME=PATH", "Caddyfile:4"}},
		"payload's data":            {endpoint("payload gateway data"), []string{`"data" does not fit after gateway`, "Caddyfile:4"}},
		"payload's data of show":    {endpoint("payload show data a=b"), []string{"standard and gateway have", "Caddyfile:4"}},
		"payload's path":            {endpoint("payload fields a=items|@this"), []string{"without modifiers", "Caddyfile:4"}},
		"payload's link":            {endpoint("payload thin https://a.example/{tenant}"), []string{"braces take resource, id", "Caddyfile:4"}},
		"egress":                    {global("egress {\nallow everything\n}"), []string{"egress takes `allow http`", "Caddyfile:4"}},
		"network":                   {global("egress {\nallow network 10.0.0.1\n}"), []string{"write the network with its length", "Caddyfile:4"}},
		"deny network":              {global("egress {\ndeny network 10.0.0.1\n}"), []string{"deny network 10.0.0.1", "write the network with its length", "Caddyfile:4"}},
		"proxy":                     {global("egress {\nproxy socks5://proxy.example\n}"), []string{"http://HOST:PORT", "Caddyfile:4"}},
		"from":                      {global("egress {\nfrom here\n}"), []string{"write an IP address", "Caddyfile:4"}},
		"from two kinds":            {global("egress {\nfrom 192.0.2.1 2001:db8::1\n}"), []string{"name addresses of one kind", "Caddyfile:4"}},
		"only host":                 {global("egress {\nonly host a*b.example\n}"), []string{"a*b.example", "Caddyfile:4"}},
		"argument of egress":        {global("egress all {\n}"), []string{`unexpected "all" after egress`, "Caddyfile:3"}},
	} {
		_, err := adapt(t, tc.text)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error lacks %q:\n\t%v", name, want, err)
			}
		}
	}
}

// What only the environment can tell is found when the configuration is
// provisioned, and named by its option.
func TestProvisionErrors(t *testing.T) {
	t.Setenv("SHORT_SECRET", "whsec_AAAA")
	t.Setenv("GOOD_SECRET", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	site := ":80 {\n\twebhooks {\n\t\tupstream localhost:9000\n\t\tresource items\n\t}\n}\n"
	endpoint := func(url, secret string) string {
		return "{\n\twebhooks {\n\t\tqueue badger " + t.TempDir() + "\n\t\tendpoint erp " + url + " {\n\t\t\tsecret " + secret + "\n\t\t}\n\t}\n}\n" + site
	}
	for name, tc := range map[string]struct {
		text string
		want []string
	}{
		"unset secret":               {endpoint("https://a.example/", "{env.UNSET_SECRET}"), []string{"endpoint erp", "secret", "{env.UNSET_SECRET}", "openssl rand"}},
		"missing file":               {endpoint("https://a.example/", "{file./nonexistent}"), []string{"endpoint erp", "secret", "/nonexistent"}},
		"bad secret":                 {endpoint("https://a.example/", "{env.SHORT_SECRET}"), []string{"endpoint erp", "secret"}},
		"unset URL":                  {endpoint("{env.UNSET_URL}", "{env.SHORT_SECRET}"), []string{"endpoint erp", "url", "{env.UNSET_URL}"}},
		"a secret that nothing uses": {endpoint("https://a.example/", "{env.GOOD_SECRET}\nsignature none"), []string{"endpoint erp", "none of its signatures"}},
		"replaced without a secret":  {endpoint("https://a.example/", "{env.GOOD_SECRET} {\nreplaced 2026-11-21T12:00:00Z\n}"), []string{"there is no secret that was replaced"}},
		"a time that is none":        {endpoint("https://a.example/", "{env.GOOD_SECRET} {env.GOOD_SECRET} {\nreplaced yesterday\n}"), []string{"replaced yesterday", "write a time as"}},
		"overlap alone":              {endpoint("https://a.example/", "{env.GOOD_SECRET} {env.GOOD_SECRET} {\noverlap 1h\n}"), []string{"overlap", "replaced 2026"}},
		"an unset key":               {endpoint("https://a.example/", "{env.GOOD_SECRET}\nsignature standard\nsignature x-signature {\nkey {env.UNSET_KEY}\n}"), []string{"signature x-signature: key", "{env.UNSET_KEY}"}},
		"a short key":                {endpoint("https://a.example/", "{env.GOOD_SECRET}\nsignature standard\nsignature x-signature {\nkey AAAA\n}"), []string{"signature x-signature: key", "8 to 1024"}},
		"an unset password":          {endpoint("https://a.example/", "{env.GOOD_SECRET}\nauth basic user {env.UNSET_PASSWORD}"), []string{"auth: password", "{env.UNSET_PASSWORD}"}},
		"a brace in a token":         {endpoint("https://a.example/", "{env.GOOD_SECRET}\nauth bearer AAAA{b}"), []string{"auth: token", "stands for nothing"}},
		"a private token URL":        {endpoint("https://a.example/", "{env.GOOD_SECRET}\nauth oauth2 https://10.0.0.1/token {\nclient_id a\nclient_secret AAAA\n}"), []string{"auth: token_url", "allow network"}},
		"a certificate that is gone": {endpoint("https://a.example/", "{env.GOOD_SECRET}\ntls {\nclient_certificate /nonexistent.pem /key.pem\n}"), []string{"tls: client_certificate", "/nonexistent.pem"}},
		"a CA that is none":          {endpoint("https://a.example/", "{env.GOOD_SECRET}\ntls {\nca go.mod\n}"), []string{"tls:", "no certificate in PEM form"}},
		"unset directory":            {"{\n\twebhooks {\n\t\tqueue badger {env.UNSET_DIR}\n\t}\n}\n" + site, []string{"queue badger", "{env.UNSET_DIR}"}},
		"one resource, two rules": {
			site + ":81 {\n\twebhooks {\n\t\tupstream localhost:9001\n\t\tresource items\n\t}\n}\n",
			[]string{"resource items is declared by two handlers"},
		},
	} {
		adapted, err := adapt(t, tc.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var config caddy.Config
		if err := json.Unmarshal(adapted, &config); err != nil {
			t.Fatal(err)
		}
		err = caddy.Validate(&config)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error lacks %q:\n\t%v", name, want, err)
			}
		}
		if strings.Contains(err.Error(), "AAAA") {
			t.Errorf("%s: the error shows the secret: %v", name, err)
		}
	}
}

// A snippet that two sites import makes two handlers that are one.
func TestSharedSnippet(t *testing.T) {
	validate(t, "(hooks) {\n\twebhooks {\n\t\tupstream localhost:9000\n\t\tresource items\n\t}\n\treverse_proxy localhost:9000\n}\n"+
		":80 {\n\timport hooks\n}\n:81 {\n\timport hooks\n}\n")
}

func FuzzCaddyfile(f *testing.F) {
	for _, seed := range []string{
		"resource items", "resource items {\nshow GET /items/:id\nevent a on change x from 1 to 2\n}", "capture 1MiB", "max_shows 3",
		"resource items {\nupdate * /items/:id/*\n}", "on_queue_error", "upstream {", "resource items {\nevent {x} on delete\n}",
	} {
		f.Add(seed, "endpoint a https://a.example/ {\nsecret {env.S}\nretry none\n}\negress {\nallow network ::/0\n}")
	}
	for _, api := range []string{
		"put PUT|POST /:tenant/callbacks/:type 200", "resend POST /x/:id {\nobject items\nauthorize GET /x/:id shared\n}", "shape endpoint in callbacks a.b=url id", "authorize GET /p/:tenant",
	} {
		f.Add(api, "subscribers {\ntype items.* as items\nendpoint {\nauth none|basic\npayload show\nretry none\n}\n}")
		f.Add(api, "subscribers {\nendpoint {\nsecret own\npayload gateway data merchant.merch_key=event:tenant object=.\n}\n}")
	}
	f.Fuzz(func(_ *testing.T, site, global string) {
		_ = new(SubscribersAPI).UnmarshalCaddyfile(caddyfile.NewTestDispenser("webhooks_api {\nupstream localhost:9000\n" + site + "\n}"))
		// The only demand is that nothing panics: errors are as good as JSON.
		_ = new(App).UnmarshalCaddyfile(caddyfile.NewTestDispenser("webhooks {\n" + global + "\n}"))
		_ = new(Handler).UnmarshalCaddyfile(caddyfile.NewTestDispenser("webhooks {\nupstream localhost:9000\n" + site + "\n}"))
	})
}
