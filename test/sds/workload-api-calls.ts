// Calls of the SPIFFE Workload API without a client library, so that tests can send what none would.
import { type Client, Metadata, type ServiceError } from '@grpc/grpc-js';

interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** The security header, with these values. */
export function headers(...values: readonly string[]): Metadata {
  const metadata = new Metadata();
  for (const value of values) metadata.add('workload.spiffe.io', value);
  return metadata;
}

export function unary<Request, Response>(
  client: Client,
  method: Method<Request, Response>,
  request: Request,
  metadata = headers('true'),
) {
  return new Promise<Response | ServiceError>((resolve) => {
    const { path, requestSerialize, responseDeserialize } = method;
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, (error, answer?: Response) => {
      if (answer !== undefined) resolve(answer);
      else if (error !== null) resolve(error);
    });
  });
}

export function stream<Request, Response>(
  client: Client,
  method: Method<Request, Response>,
  request: Request,
  metadata = headers('true'),
) {
  const { path, requestSerialize, responseDeserialize } = method;
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, metadata);
  const answers: Response[] = [];
  const ended = new Promise<ServiceError>((resolve) => call.on('error', resolve));
  call.on('data', (answer: Response) => answers.push(answer));
  return { answers, ended, cancel: () => call.cancel() };
}
