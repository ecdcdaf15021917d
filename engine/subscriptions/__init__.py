"""Subscriptions: which events a consumer wants, and where they are pushed."""
