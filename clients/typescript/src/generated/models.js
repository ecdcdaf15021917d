// The models are types alone; `make clients` writes this file.

export {};
