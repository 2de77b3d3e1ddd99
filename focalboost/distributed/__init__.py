"""Training on a cluster: Dask with both hosts, Spark with XGBoost.

``xgboost.train`` and ``lightgbm.train`` of this package train on Dask collections, and
``spark`` fits XGBoost's Spark classifier. Class masses and baseline are those of all
rows, wherever they lie.
"""
