// The TypeScript client against a running server: a note is written, read, listed, and a wrong one is a problem.
import createClient from "openapi-fetch";
import type { paths } from "./api.ts";

const [base, token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: base, headers: { authorization: `Bearer ${token}` } });

const made = await client.POST("/api/v1/notes", { body: { title: "Milk", body: "", tags: ["shop"] } });
if (made.data === undefined) throw new Error(JSON.stringify(made.error));
const read = await client.GET("/api/v1/notes/{note_id}", { params: { path: { note_id: made.data.id } } });
const listed = await client.GET("/api/v1/notes", { params: { query: { limit: 1 } } });
const wrong = await client.POST("/api/v1/notes", { body: { title: "" } });
console.log(
  JSON.stringify({
    read: read.data?.title,
    listed: listed.data?.data.map((note) => note.title),
    wrong: [wrong.response.status, wrong.error?.error_code],
  }),
);
