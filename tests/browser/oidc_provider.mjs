// npm's oidc-provider with one client, PKCE demanded, and its own pages to log in and agree.
// node oidc_provider.mjs FOLDER_OF_NODE_MODULES PORT REDIRECT_URI; it says "ready" once it answers.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [folder, port, redirectUri] = process.argv.slice(2);
const found = createRequire(`${folder}/package.json`).resolve('oidc-provider');
const { Provider } = await import(pathToFileURL(found));

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'nexus', client_secret: 'a-secret-of-the-browser-test', redirect_uris: [redirectUri] }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: id !== 'mallory', name: `The ${id}` }),
  }),
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
});

provider.on('server_error', (_, error) => console.error(error));
provider.listen(Number(port), '127.0.0.1', () => console.log('ready'));
