// What `helm test` runs, in the chart's own image: the injector is ready, a pod of a labelled namespace gets its sidecar from the API server
// (a dry run: nothing is created), and the authority proves who it is. Every check is tried again until its time is over.
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:tls';

const { env } = process;
const API = '/var/run/secrets/kubernetes.io/serviceaccount';
const TRIES_MS = Number(env.TRIES_MS ?? 30_000);

function answer(send, url, options, body) {
  return new Promise((resolve, reject) => {
    const sent = send(url, { timeout: 10_000, ...options }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode, text }));
      response.on('error', reject);
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within 10 s')));
    sent.on('error', reject);
    sent.end(body);
  });
}

async function injectorIsReady() {
  const { status, text } = await answer(httpRequest, `${env.INJECTOR}/readyz`, {
    method: 'GET',
    headers: { host: 'localhost' },
  });
  if (status !== 200) throw new Error(`${env.INJECTOR}/readyz says ${status}: ${text}`);
  return 'the injector is ready';
}

async function podsAreInjected() {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'trial', namespace: env.NAMESPACE },
    spec: { containers: [{ name: 'agent', image: 'agent:1', ports: [{ containerPort: 8080 }] }] },
  };
  const url = `https://${env.KUBERNETES_SERVICE_HOST}:${env.KUBERNETES_SERVICE_PORT}/api/v1/namespaces/${env.NAMESPACE}/pods?dryRun=All`;
  const options = {
    method: 'POST',
    ca: readFileSync(`${API}/ca.crt`),
    headers: { 'content-type': 'application/json', authorization: `Bearer ${readFileSync(`${API}/token`, 'utf8')}` },
  };
  const { status, text } = await answer(httpsRequest, url, options, JSON.stringify(pod));
  if (status !== 201) throw new Error(`a pod in ${env.NAMESPACE} was refused, ${status}: ${JSON.parse(text).message}`);
  const { spec, metadata } = JSON.parse(text);
  const sidecar = spec.initContainers?.find(({ name }) => name === 'sallyport');
  if (sidecar?.restartPolicy !== 'Always') throw new Error(`a pod in ${env.NAMESPACE} came out without its sidecar`);
  return `a pod gets its sidecar (${sidecar.image}), injected by ${metadata.annotations['sallyport.dev/injected-by']}`;
}

// It proves a SPIFFE ID, not a host name.
function checkId(_host, { subjectaltname = '' }) {
  if (subjectaltname.split(', ').includes(`URI:${env.AUTHORITY_ID}`)) return undefined;
  return new Error(`${env.AUTHORITY} is ${subjectaltname}, not ${env.AUTHORITY_ID}`);
}

function authorityProvesItself() {
  const { hostname, port } = new URL(env.AUTHORITY);
  const ca = readFileSync('/etc/sallyport/trust/roots.pem');
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: hostname,
      port: Number(port),
      ca,
      servername: hostname,
      checkServerIdentity: checkId,
    });
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer within 10 s')));
    socket.on('error', reject);
    socket.on('secureConnect', () => {
      socket.destroy();
      resolve(`the authority is ${env.AUTHORITY_ID}`);
    });
  });
}

function say(line) {
  process.stdout.write(`${line}\n`);
}

async function holds(check) {
  const end = Date.now() + TRIES_MS;
  for (;;) {
    try {
      say(`ok      ${await check()}`);
      return;
    } catch (error) {
      if (Date.now() >= end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

const checks = [injectorIsReady, podsAreInjected, ...(env.AUTHORITY === undefined ? [] : [authorityProvesItself])];
const outcomes = await Promise.allSettled(checks.map(holds));
const failed = outcomes.filter(({ status }) => status === 'rejected');
for (const { reason } of failed) say(`FAILED  ${reason.message}`);
process.exitCode = failed.length === 0 ? 0 : 1;
