module copilot/shop

go 1.24
