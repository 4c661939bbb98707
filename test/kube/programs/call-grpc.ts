/** `node call-grpc.ts HOST:PORT [COUNT]`: unary calls of the weather service in cleartext, as an agent makes them that knows of no sidecar; one status code a line. */
import { credentials, loadPackageDefinition, type Client, type GrpcObject } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

type Weather = Client & {
  Now(place: object, options: object, done: (failure: { readonly code: number; details: string } | null) => void): void;
};

const [target = '', count = '1'] = process.argv.slice(2);
const proto = new URL('../../../examples/grpc-agent/weather.proto', import.meta.url).pathname;
const root = loadPackageDefinition(loadSync(proto)) as unknown as { examples: { weather: { v1: GrpcObject } } };
const Service = root.examples.weather.v1['Weather'] as unknown as new (target: string, channel: unknown) => Weather;
const client = new Service(target, credentials.createInsecure());
for (let left = Number(count); left > 0; left--) {
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  await new Promise<void>((resolve) => {
    client.Now({ name: 'Oslo' }, { deadline: Date.now() + 10_000 }, (failure) => {
      console.log(failure === null ? 0 : `${failure.code} ${failure.details}`);
      resolve();
    });
  });
}
client.close();
