module lab.invalid/programs

go 1.24.0
