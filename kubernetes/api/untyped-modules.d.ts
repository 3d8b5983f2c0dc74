// The client library's types name this module, of which nothing here is used.
declare module 'ws';
