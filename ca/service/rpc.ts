import { type DescMessage, type DescMethod, type MessageShape, fromBinary, toBinary } from '@bufbuild/protobuf';

/** The two directions of a message on the wire, in the form grpc-js takes them. */
export function codec<D extends DescMessage>(schema: D) {
  return {
    serialize: (message: MessageShape<D>): Buffer => {
      const bytes = toBinary(schema, message);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    },
    deserialize: (bytes: Buffer): MessageShape<D> => fromBinary(schema, bytes),
  };
}

/** `/package.Service/Method`, the HTTP/2 path of an RPC. */
export function rpcPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

const bytes = (message: Buffer): Buffer => message;

/** One RPC whose messages stay bytes for gRPC: what does not parse is the service's to answer, not a broken call. */
export function bytesRpc(method: DescMethod) {
  return {
    ...call(method),
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
}

/** One RPC of a generated service, in the form that grpc-js servers and clients take. */
export function rpc<I extends DescMessage, O extends DescMessage>(
  method: DescMethod & { readonly input: I; readonly output: O },
) {
  const [request, response] = [codec(method.input), codec(method.output)];
  return {
    ...call(method),
    requestSerialize: request.serialize,
    requestDeserialize: request.deserialize,
    responseSerialize: response.serialize,
    responseDeserialize: response.deserialize,
  };
}

function call(method: DescMethod) {
  return {
    path: rpcPath(method),
    requestStream: method.methodKind === 'bidi_streaming' || method.methodKind === 'client_streaming',
    responseStream: method.methodKind === 'bidi_streaming' || method.methodKind === 'server_streaming',
  };
}
