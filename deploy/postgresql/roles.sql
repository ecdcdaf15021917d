-- Two roles and a database: varsel_owner owns the tables and migrates, varsel uses them (docs/operating.md, "Rights").
-- A superuser runs it once, with both passwords in the environment: OWNER and APP.
\set ON_ERROR_STOP on
\getenv owner OWNER
\getenv app APP
CREATE ROLE varsel_owner LOGIN PASSWORD :'owner';
CREATE ROLE varsel LOGIN PASSWORD :'app';
CREATE DATABASE varsel OWNER varsel_owner ENCODING 'UTF8' TEMPLATE template0;
\connect varsel
SET ROLE varsel_owner;
GRANT USAGE ON SCHEMA public TO varsel;
ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO varsel;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON SEQUENCES TO varsel;
