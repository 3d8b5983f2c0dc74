// The client library's types name this module, of which nothing here is used.
declare module 'ws' {
  export type WebSocket = object;
  export type ClientOptions = Readonly<Record<string, unknown>>;
}
