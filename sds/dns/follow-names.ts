import { create } from '@bufbuild/protobuf';
import { status } from '@grpc/grpc-js';
import { FollowRequestSchema, type FollowResponse, Names } from '#gen/gatehouse/names/v1/names_pb.js';
import { FollowedStream, type FollowerOptions } from '../authority/followed-stream.ts';
import type { KnownNames, NameSource } from './known-names.ts';

/** Follows names at the control plane over one stream: after a connection was lost, all of them anew. */
export class NamesFollower implements NameSource {
  readonly #known: KnownNames;
  readonly #stream: FollowedStream<typeof Names.method.follow.input, typeof Names.method.follow.output>;

  constructor(known: KnownNames, options: FollowerOptions) {
    this.#known = known;
    this.#stream = new FollowedStream(options, {
      method: Names.method.follow,
      lost: 'names of the mesh are not followed; trying again',
      unknown: [status.UNIMPLEMENTED],
      onOpen: () => this.follow(known.names),
      onResponse: (response) => this.#told(response),
    });
  }

  get live(): boolean {
    return this.#stream.isOpen;
  }

  start(): void {
    this.#known.askFrom(this);
    this.#stream.start();
  }

  stop(): void {
    this.#stream.stop();
  }

  follow(names: readonly string[]): void {
    this.#stream.write(create(FollowRequestSchema, { names: [...names] }));
  }

  drop(dropped: readonly string[]): void {
    this.#stream.write(create(FollowRequestSchema, { dropped: [...dropped] }));
  }

  #told({ answers }: FollowResponse): void {
    this.#stream.succeeded();
    for (const { name, known, addresses } of answers) this.#known.said(name, known ? addresses : undefined);
  }
}
