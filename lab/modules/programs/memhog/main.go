// memhog STEP_MIB SLEEP_MS [MAX_MIB] touches memory step by step, says so in JSON lines, and then
// idles; or the kernel kills it.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const mib = 1 << 20

func argument(n, otherwise int) int {
	if len(os.Args) <= n {
		return otherwise
	}
	value, err := strconv.Atoi(os.Args[n])
	if err != nil || value < 1 {
		fmt.Fprintln(os.Stderr, "usage: memhog STEP_MIB SLEEP_MS [MAX_MIB]")
		os.Exit(2)
	}
	return value
}

func main() {
	step, pause, most := argument(1, 1), argument(2, 100), argument(3, mib)
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGINT, syscall.SIGTERM)
	for total := step; total <= most; total += step {
		// Straight from the kernel: the garbage collector does not know it and cannot give it back.
		page, err := syscall.Mmap(-1, 0, step*mib, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
		if err != nil {
			fmt.Fprintln(os.Stderr, "memhog:", err)
			os.Exit(1)
		}
		for i := 0; i < len(page); i += 4096 {
			page[i] = 0x5a
		}
		fmt.Printf("{\"ts\":%q,\"level\":\"warn\",\"msg\":\"cache grew\",\"allocated_mib\":%d}\n", time.Now().UTC().Format(time.RFC3339), total)
		select {
		case <-asked:
			return
		case <-time.After(time.Duration(pause) * time.Millisecond):
		}
	}
	<-asked
}
