// The peer of delivery on Node.js: a job of BullMQ's per mail in Redis, and nodemailer's pool of connections.
//
// `node jobs.js web PORT` takes orders over HTTP and adds their jobs; `node jobs.js worker SMTP_PORT` sends.
// PEER_REDIS: the unix socket of its Redis.
"use strict";

const http = require("node:http");
const { text } = require("node:stream/consumers");
const { Queue, Worker } = require("bullmq");
const nodemailer = require("nodemailer");

const QUEUE = "mails";
const CONNECTIONS = 10; // of a worker process, to the relay
const OPTIONS = { attempts: 5, backoff: { type: "exponential", delay: 1000 }, removeOnComplete: true };
const connection = { path: process.env.PEER_REDIS, maxRetriesPerRequest: null };

function serve(port) {
  const queue = new Queue(QUEUE, { connection, defaultJobOptions: OPTIONS });
  const server = http.createServer(async (request, response) => {
    try {
      const { subject, body, recipients } = JSON.parse(await text(request));
      const jobs = recipients.map(({ emailAddress }) => ({
        name: "mail",
        data: { from: "noreply@example.no", to: emailAddress, subject, text: body },
      }));
      const [first] = jobs.length === 1 ? [await queue.add("mail", jobs[0].data)] : await queue.addBulk(jobs);
      response.writeHead(202, { "Content-Type": "application/json" }).end(JSON.stringify({ orderId: first.id }));
    } catch (error) {
      response.writeHead(500, { "Content-Type": "text/plain" }).end(String(error));
    }
  });
  server.listen(Number(port), "127.0.0.1");
}

function work(port) {
  const relay = nodemailer.createTransport({
    host: "127.0.0.1",
    port: Number(port),
    pool: true,
    maxConnections: CONNECTIONS,
    maxMessages: Infinity,
    ignoreTLS: true,
  });
  const worker = new Worker(QUEUE, (job) => relay.sendMail(job.data), { connection, concurrency: CONNECTIONS });
  worker.on("error", (error) => console.error(error));
}

const [role, port] = process.argv.slice(2);
({ web: serve, worker: work })[role](port);
