// For `gatehouse up --image`: on 8080 HTTP that answers, and a WebSocket that says back what it hears (frames unread, as bytes);
// on 9090 bytes that come back.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createTcpServer } from 'node:net';

const host = process.env.HOST ?? '0.0.0.0';
// RFC 6455, section 1.3.
const accept = (key) => createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

createServer((_, response) => response.end('here\n'))
  .on('upgrade', (request, socket) => {
    socket.on('error', () => undefined);
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept(request.headers['sec-websocket-key'])}\r\n\r\n`,
    );
    socket.pipe(socket);
  })
  .listen(8080, host);
createTcpServer((socket) => {
  socket.on('error', () => undefined);
  socket.pipe(socket);
}).listen(9090, host);
