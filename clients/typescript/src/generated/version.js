// The version of the client, and of its Varsel; `make clients` writes this file.

export const VERSION = "0.1.0";
