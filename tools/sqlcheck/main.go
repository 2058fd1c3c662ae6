// Sqlcheck says whether TiDB understands statements, by TiDB's own parser.
//
//	sqlcheck FILE...
//
// A file that ends in .sql holds statements as a client would send them. Any other holds JSON, one
// {"from": "...", "sql": "..."} a line, each exactly one statement; `?` stands for a parameter.
// Prints how many statements of each type there are. Exits 1 after naming each that the parser
// refuses, with its line and column.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/pingcap/tidb/pkg/parser"
	"github.com/pingcap/tidb/pkg/parser/ast"
	_ "github.com/pingcap/tidb/pkg/parser/test_driver"
)

// The parser quotes all that is left of a file.
const longest = 300

type statement struct {
	From string `json:"from"`
	SQL  string `json:"sql"`
}

type check struct {
	parser *parser.Parser
	types  map[string]int
	failed int
}

func main() {
	if len(os.Args) < 2 {
		fatal("usage: sqlcheck FILE...")
	}
	c := check{parser: parser.New(), types: map[string]int{}}
	for _, name := range os.Args[1:] {
		file, err := os.Open(name)
		if err != nil {
			fatal(err.Error())
		}
		if strings.HasSuffix(name, ".sql") {
			err = c.script(name, file)
		} else {
			err = c.lines(name, file)
		}
		file.Close()
		if err != nil {
			fatal(name + ": " + err.Error())
		}
	}
	c.report()
	if c.failed > 0 {
		os.Exit(1)
	}
}

// script parses a file of many statements; the parser's line and column are the file's.
func (c *check) script(name string, file io.Reader) error {
	text, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	nodes, _, err := c.parser.ParseSQL(string(text))
	if err != nil {
		c.refuse(name, "", err)
		return nil
	}
	c.count(nodes)
	return nil
}

// lines parses one statement a line.
func (c *check) lines(name string, file io.Reader) error {
	decoder := json.NewDecoder(bufio.NewReader(file))
	for {
		var one statement
		if err := decoder.Decode(&one); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		nodes, _, err := c.parser.ParseSQL(one.SQL)
		switch {
		case err != nil:
			c.refuse(one.From, one.SQL, err)
		case len(nodes) != 1:
			c.refuse(one.From, one.SQL, fmt.Errorf("%d statements where one was meant", len(nodes)))
		default:
			c.count(nodes)
		}
	}
}

func (c *check) count(nodes []ast.StmtNode) {
	for _, node := range nodes {
		c.types[strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%T", node), "*ast."), "Stmt")]++
	}
}

func (c *check) refuse(from, sql string, err error) {
	c.failed++
	said := strings.TrimSpace(err.Error())
	if len(said) > longest {
		said = said[:longest] + " ..."
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", from, said)
	if sql != "" {
		fmt.Fprintf(os.Stderr, "    %s\n", strings.ReplaceAll(sql, "\n", "\n    "))
	}
}

func (c *check) report() {
	names := make([]string, 0, len(c.types))
	total := 0
	for name, n := range c.types {
		names = append(names, name)
		total += n
	}
	sort.Strings(names)
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = fmt.Sprintf("%s %d", name, c.types[name])
	}
	fmt.Printf("TiDB's parser takes %d statements: %s\n", total, strings.Join(parts, ", "))
	if c.failed > 0 {
		fmt.Printf("and refuses %d\n", c.failed)
	}
}

func fatal(message string) {
	fmt.Fprintln(os.Stderr, "sqlcheck: "+message)
	os.Exit(2)
}
