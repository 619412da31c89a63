"""Assistants become prompts: conversion, versions with review, drift, files for source control, and what they need."""
