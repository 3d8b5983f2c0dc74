export { bytesRpc, codec, rpc, rpcPath } from '../ca/service/rpc.ts';
