// For `gatehouse up --image`: gRPC on 8080, as far as statuses go. /greet.Greeter/STATUS answers with that status.
import { createServer } from 'node:http2';

createServer()
  .on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    const status = /(\d+)$/.exec(headers[':path'])?.[1] ?? '0';
    // An answer without a message may say all in its headers.
    if (status === '12') {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': status }, { endStream: true });
      return;
    }
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }));
    stream.end(Buffer.from([0, 0, 0, 0, 0]));
  })
  .listen(8080, process.env.HOST ?? '0.0.0.0');
