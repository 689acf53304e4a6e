// SPDX-License-Identifier: MIT
// A Go program whose run-time uses much of what a kernel offers: threads, preemption by signals, the poller, timers, children, memory
// that is reserved in large. It prints the same everywhere; its argument is an empty folder.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func channels() {
	numbers, sums := make(chan int), make(chan int, 8)
	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			sum := 0
			for number := range numbers {
				sum += number
				runtime.Gosched()
			}
			sums <- sum
		}()
	}
	go func() {
		for i := 1; i <= 10000; i++ {
			numbers <- i
		}
		close(numbers)
		group.Wait()
		close(sums)
	}()
	all := 0
	for sum := range sums {
		all += sum
	}
	fmt.Println("sum", all)
}

// A loop that never calls anything is taken off its thread by SIGURG.
func preemption() {
	before := runtime.GOMAXPROCS(1)
	var stop int32
	var turns uint64
	done := make(chan bool)
	go func() {
		for atomic.LoadInt32(&stop) == 0 {
			turns++
		}
		close(done)
	}()
	time.Sleep(5 * time.Millisecond)
	atomic.StoreInt32(&stop, 1)
	<-done
	fmt.Println("preempted")
	runtime.GOMAXPROCS(before)
}

func timers() {
	order := []string{}
	late, early := time.After(40*time.Millisecond), time.After(10*time.Millisecond)
	ticker := time.NewTicker(time.Millisecond)
	ticks := 0
	for late != nil || early != nil {
		select {
		case <-late:
			order, late = append(order, "late"), nil
		case <-early:
			order, early = append(order, "early"), nil
		case <-ticker.C:
			ticks++
		}
	}
	ticker.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	<-ctx.Done()
	fmt.Println(order[0] == "early", len(order), ticks > 0, ctx.Err())
}

func poller(folder string) {
	reader, writer, err := os.Pipe()
	fmt.Println(err, reader.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
	_, err = reader.Read(make([]byte, 1))
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
	reader.SetReadDeadline(time.Time{})
	go func() {
		fmt.Fprintln(writer, strings.Repeat("x", 200000))
		writer.Close()
	}()
	all, err := io.ReadAll(reader)
	fmt.Println(len(all), err)

	listener, err := net.Listen("unix", folder+"/socket")
	fmt.Println(err)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go io.Copy(connection, connection)
		}
	}()
	var group sync.WaitGroup
	var right int32
	for i := 0; i < 20; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			connection, err := net.Dial("unix", folder+"/socket")
			if err != nil {
				fmt.Println(err)
				return
			}
			defer connection.Close()
			fmt.Fprintf(connection, "line %d\n", i)
			line, _ := bufio.NewReader(connection).ReadString('\n')
			if line == fmt.Sprintf("line %d\n", i) {
				atomic.AddInt32(&right, 1)
			}
		}(i)
	}
	group.Wait()
	listener.Close()
	fmt.Println("echoes", right)
}

func signals() {
	caught := make(chan os.Signal, 10)
	signal.Notify(caught, syscall.SIGUSR1, syscall.SIGCHLD)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-caught)
	signal.Reset()

	defer func() {
		fmt.Println("recovered:", recover())
	}()
	var nowhere *int
	fmt.Println(*nowhere)
}

func children() {
	var group sync.WaitGroup
	outputs := make([]string, 8)
	for i := range outputs {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			command := exec.Command("/bin/busybox", "tr", "a-z", "A-Z")
			command.Stdin = strings.NewReader(fmt.Sprint("child ", i))
			output, err := command.Output()
			outputs[i] = fmt.Sprint(string(output), err)
		}(i)
	}
	group.Wait()
	fmt.Println(outputs)
	err := exec.Command("/bin/busybox", "false").Run()
	fmt.Println(err, exec.Command("/nothing").Run())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	fmt.Println(exec.CommandContext(ctx, "/bin/busybox", "sleep", "100").Run())
}

func memory() {
	debug.SetGCPercent(20)
	maps := map[int][]byte{}
	for i := 0; i < 3000; i++ {
		maps[i%100] = make([]byte, 10000+i)
	}
	keys := []int{}
	for key := range maps {
		keys = append(keys, key)
	}
	sort.Ints(keys)
	var deep func(int) int
	deep = func(n int) int {
		if n == 0 {
			return 0
		}
		var room [100]int
		room[n%100] = n
		return deep(n-1) + room[n%100] - n + 1
	}
	result := make(chan int)
	go func() { result <- deep(100000) }()
	runtime.GC()
	debug.FreeOSMemory()
	fmt.Println(len(keys), keys[99], <-result)
}

func main() {
	channels()
	preemption()
	timers()
	poller(os.Args[1])
	signals()
	children()
	memory()
	entries, err := os.ReadDir(os.Args[1])
	fmt.Println(len(entries), err, os.WriteFile(os.Args[1]+"/file", []byte("text"), 0o600), os.Remove(os.Args[1]+"/file"))
	os.Exit(7)
}
