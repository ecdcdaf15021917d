// The version of the client, and of its Varsel; `make clients` writes this file.

export declare const VERSION: string;
